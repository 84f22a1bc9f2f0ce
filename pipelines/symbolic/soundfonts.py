"""SoundFonts: the one inside pretty_midi or the user's file, and the name and licence a file states.

TinySoundFont reads .sf2, and .sf3, whose samples are Ogg Vorbis: opening one of 23 MB takes 2 s, once a process.
"""

import importlib.util
import struct
from pathlib import Path

from pipelines.core.files import sha256

TIMGM6MB = (
    "sound: TimGM6mb.sf2 of pretty_midi, whose MIT licence does not mention it; Debian distributes another version of "
    "it under GPL-2, (c) 2004 Tim Brechbill, 2010 David Bolton"
)


def default() -> Path:
    """TimGM6mb.sf2, which the pretty_midi package carries (128 programs; Tim Brechbill, GPL-2)."""
    return Path(importlib.util.find_spec("pretty_midi").origin).with_name("TimGM6mb.sf2")


def find(path: str | None, wanted: str | None) -> Path:
    """The SoundFont at `path`, which must have the SHA-256 `wanted`; without a path the default one.

    Raises `ValueError` that says what to do where there is none, where it is no SoundFont, or where it is another one.
    """
    if path is None:
        return default()
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(
            f"there is no SoundFont {path} (soundfont in params.yaml). Debian and Ubuntu have some: apt install "
            "fluidr3mono-gm-soundfont, musescore-general-soundfont-small or fluid-soundfont-gm puts one into /usr/share/sounds"
        )
    information(file)
    found = sha256(file)
    if found != wanted:
        said = f"has the SHA-256 {found}, not {wanted}" if wanted else f"needs its hash in params.yaml: {found}"
        raise ValueError(
            f"the SoundFont {path} {said}. If this is the file that is meant, write soundfont_sha256: {found} into its dataset's "
            "entry in params.yaml: it is what says that another file makes another dataset"
        )
    return file


def information(file: Path) -> dict[str, str]:
    """The INFO list of a SoundFont: "INAM" its name, "ICOP" its copyright, and others. Raises `ValueError` where it is none."""
    with open(file, "rb") as stream:
        head = stream.read(24)
        if len(head) < 24 or head[:4] != b"RIFF" or head[8:16] != b"sfbkLIST" or head[20:] != b"INFO":
            raise ValueError(f"{file} is not a SoundFont (.sf2 or .sf3)")
        body = stream.read(struct.unpack("<I", head[16:20])[0] - 4)
    found, place = {}, 0
    while place + 8 <= len(body):
        key, size = struct.unpack_from("<4sI", body, place)
        text = body[place + 8 : place + 8 + size].split(b"\0")[0]
        found[key.decode("ascii", "replace")] = text.decode("utf-8", "replace").strip()
        place += 8 + size + size % 2
    return found


def licence(file: Path) -> str:
    """What is known of a SoundFont's licence, for each clip's: its own words, where it has any."""
    if file == default():
        return TIMGM6MB
    words = " ".join(information(file).get("ICOP", "").split())
    return (
        f"sound: {file.name}, which says: {words}" if words else f"sound: {file.name}, which names no copyright holder"
    )
