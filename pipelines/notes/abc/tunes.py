"""The tunes of an ABC file: each from its `X:` to the first empty line, with the fields that stand before the first tune.

Source: The abc music standard 2.1 (December 2011), sections 2.2 and 4.14.
"""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from pipelines.core.files import atomic
from pipelines.notes.tables import Unreadable

START = re.compile(r"(?m)^(?=X:)")
EMPTY = re.compile(r"\n[ \t]*\n")
FIELD = re.compile(r"(?m)^([A-Za-z]):[ \t]*([^\n]*)")
MAX_TUNES = 20_000
MAX_SHARED = 10_000  # characters of the fields that each tune gets
FOR_ALL = "LMQRUm"
"""Fields of the file's header that hold for all its tunes."""


class Tune(NamedTuple):
    """number: of its `X:`, as written. title: its first `T:`, or "". text: the tune alone, from `X:` on."""

    number: str
    title: str
    text: str


def tunes(content: bytes) -> list[Tune]:
    """The tunes of a file, in its order. Raises `Unreadable` where there is none."""
    text = decoded(content)
    before, *found = START.split(text)
    if not found:
        raise Unreadable("no tune: a line `X:` begins one in ABC")
    shared = "".join(f"{name}:{value}\n" for name, value in FIELD.findall(before) if name in FOR_ALL)
    if len(found) > MAX_TUNES or len(shared) > MAX_SHARED:
        raise Unreadable(
            f"{len(found):,} tunes that share {len(shared):,} characters: at most {MAX_TUNES:,} and {MAX_SHARED:,} are read"
        )
    return [_tune(EMPTY.split(each, maxsplit=1)[0], shared) for each in found]


def unpack(content: bytes, folder: Path) -> list[tuple[Path, Tune]]:
    """The tunes of a file, each written into a file of its own below `folder`; one that is there with its text is left alone."""
    book, found = hashlib.sha256(content).hexdigest()[:16], []
    for number, tune in enumerate(tunes(content)):
        path, text = folder / book / f"{number:04d}.abc", tune.text.encode()
        if not path.exists() or path.read_bytes() != text:
            with atomic(path) as temporary:
                temporary.write_bytes(text)
        found.append((path, tune))
    return found


def decoded(content: bytes) -> str:
    """The text with line ends as `\\n`: UTF-8, or Latin-1 where it is none, as most older collections are."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _tune(text: str, shared: str) -> Tune:
    first, _, rest = text.rstrip("\n").partition("\n")
    title = next((value.strip() for name, value in FIELD.findall(rest) if name == "T"), "")
    return Tune(first.removeprefix("X:").partition("%")[0].strip(), title, f"{first}\n{shared}{rest}\n")
