"""List a user's own folder: each audio file with its label and content hash, and one fingerprint of the whole list.

The files stay outside the project, where DVC cannot watch them. Instead the dataset's entry in params.yaml has the fingerprint,
`conservatory run` updates it, and the recipe in git says which bytes were used.
"""

import codecs
import csv
import hashlib
import io
import json
import os
import re
import stat
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import soundfile

from pipelines.audio.quiet import without_remarks
from pipelines.core import max_quarantined
from pipelines.core.files import atomic, sha256
from pipelines.core.tables import column

FORMATS = {name.lower() for name in soundfile.available_formats()} - {"raw"}  # headerless: nothing says what it is
AUDIO_SUFFIXES = tuple(
    sorted(
        f".{name}"
        for name in FORMATS
        | {"8svx", "aif", "aifc", "aiffc", "bwf", "mp1", "mp2", "mpga", "oga", "opus", "snd", "sph", "spx", "wave"}
    )
)
"""Names of libsndfile's formats: such a file is music, and a fault if it cannot be read. Under any other name a file is music
where it begins as one (`BEGINNINGS`), or libsndfile can read it."""
FOREIGN_SUFFIXES = (
    *(".m4a", ".m4b", ".aac", ".mp4", ".wma", ".wv", ".ape", ".ra", ".dsf", ".dff", ".ac3", ".mka", ".webm", ".weba"),
    *(".3gp", ".amr", ".dts", ".eac3", ".mpc", ".shn", ".tak", ".tta"),
)
"""Audio that libsndfile does not read: it must be converted, and is not ignored."""
BEGINNINGS = re.compile(
    rb"fLaC|caff|\.snd|ID3[\2-\4]|riff\x2E\x91\xCF\x11|(RIFF|RIFX|RF64)....WAVE|FORM....(AIF[FC]|8SVX|16SV)"
    rb"|OggS.{24,40}(\x01vorbis|OpusHead|\x7FFLAC|Speex   )",
    re.DOTALL,
)
"""First bytes of what libsndfile knows, whether it can read the rest or not: FLAC, CAF, AU, MP3 with a tag, W64, WAV, AIFF, IFF,
and Ogg with sound."""
CLUTTER = {"thumbs.db", "desktop.ini"}  # left by desktops beside music; like hidden files not worth a line
EVENTS, OF_EVENTS = "events.csv", "the table of events, not audio"
"""A file beside the audio with targets aligned to time, and the `problem` of its row, by which its hash is in the fingerprint."""
CSV_COLUMNS = {"path", "label", "split", "group"}
CSV_SPLITS = ("train", "validation", "test", "")
CSV_ALSO = {
    "path": {"file", "filename", "file_name", "file name", "filepath", "file_path", "audio", "track", "clip"},
    "label": {"class", "labels", "genre", "category", "target", "tag"},
    "split": {"set", "subset", "partition", "fold"},
    "group": {"artist", "album", "band", "work"},
}
"""Other names of these columns."""
SPLIT_ALSO = {
    "train": {"train", "training"},
    "validation": {"validation", "val", "valid", "dev", "development"},
    "test": {"test", "testing", "eval", "evaluation"},
}
NO_GROUP = re.compile(
    r"train(ing)?|test(ing)?|val(id(ation)?)?|dev|wavs?|flac|mp3s?|ogg|aiff?|audio|clips?|segments?|\d+|"
    r"(disc|disk|cd|side|vol|volume|part|fold|split)[ ._-]?\w{1,2}",
    re.IGNORECASE,
)
"""Names of folders below a label that are no artist, album or work."""
LEAVES = "a link that leads out of the folder: conservatory add --follow-links reads what it names"
QUOTES = "'`‘’“”„«»"
HASHES = Path(".cache/hashes.json")  # path -> [size, mtime_ns, inode, sha256]: saves reading, never decides

LISTING = pa.schema(
    [
        column("path", pa.string(), "the file, relative to the folder (or to the CSV's folder)", unique=True),
        column("label", pa.string(), "its label; empty if the folder has none"),
        column("split", pa.string(), "train, validation, test; all where none is given"),
        column("group", pa.string(), "artist or work; the path where none is given"),
        column("sha256", pa.string(), "hash of the file's bytes; empty where it could not be read"),
        column("problem", pa.string(), "why it cannot be used; empty where it can"),
    ]
)


class SourceError(ValueError):
    """A folder or CSV that cannot be a dataset; the message says what to do."""


def scan(path: str | os.PathLike, follow_links: bool = False) -> pd.DataFrame:
    """List a folder `<label>/<audio file>` (any depth below the label) or a CSV path,label[,split,group].

    A folder whose audio files lie all in itself has no labels. Symbolic links in a folder that lead out of it are not followed,
    unless `follow_links`.

    Returns a row a file (`LISTING`), sorted by path. A file that cannot be used is a row with its `problem`.
    Raises `SourceError` where there is nothing to list, or the CSV is not one.
    """
    path = Path(path)
    if not path.exists():
        raise SourceError(f"{path} does not exist: check the spelling, or mount the disk that holds it")
    if not path.is_dir() and path.suffix.lower() != ".csv":
        raise SourceError(f"{path} is neither a folder nor a .csv file: give the folder that holds <label>/<file>")
    try:
        rows = _scan_folder(path, follow_links) if path.is_dir() else _scan_csv(path)
    except PermissionError as error:
        raise SourceError(f"{error.filename} is not readable: give yourself permission, then try again") from error
    root = path if path.is_dir() else path.parent
    _hash(root, rows)
    rows += _events(root, path)
    if all(row["problem"] for row in rows):
        found = "; ".join(f"{n} x {problem}" for problem, n in Counter(row["problem"] for row in rows).most_common(3))
        raise SourceError(
            f"{path} contains no usable audio ({found or 'it is empty'}): it should look like <label>/<file>, with files that "
            f"libsndfile reads (WAV, FLAC, OGG, MP3, AIFF, AU, ...), or be a CSV with the columns path,label"
        )
    return pd.DataFrame(sorted(rows, key=lambda row: row["path"]), columns=LISTING.names)


def fingerprint(listing: pd.DataFrame) -> str:
    """16 hex digits over every row: changes when a file is added, changed, removed, renamed or relabelled."""
    rows = json.dumps(listing[LISTING.names].to_numpy().tolist(), ensure_ascii=True)
    return hashlib.sha256(rows.encode()).hexdigest()[:16]


def _events(root: Path, listed: Path) -> list[dict]:
    """The row of the table of events, where there is one."""
    table = root / EVENTS
    if table == listed or not table.is_file():
        return []
    return [_row(EVENTS, "", problem=OF_EVENTS) | {"sha256": sha256(table)}]


def _row(path: str, label: str, split: str = "all", group: str = "", problem: str = "") -> dict:
    if not _is_utf8(path):
        path, label = (text.encode("utf-8", "replace").decode() for text in (path, label))
        problem = "its name is not UTF-8: rename it"
    return {"path": path, "label": label, "split": split, "group": group or path, "sha256": "", "problem": problem}


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # the system's way to carry undecodable bytes in a name
        return False
    return True


def _scan_folder(root: Path, follow_links: bool) -> list[dict]:
    rows, inside = [], root.resolve()
    for folder, folders, names in os.walk(root, onerror=_raise, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        place = Path(folder)
        for name in [name for name in folders if (place / name).is_symlink()]:
            # a folder may stand under several labels by links, but not below itself
            target = (place / name).resolve()
            if target in (place.resolve(), *place.resolve().parents):
                folders.remove(name)
                relative = (place / name).relative_to(root)
                rows.append(_row(str(relative), relative.parts[0], problem="a link to a folder that contains it"))
            elif not follow_links and inside not in target.parents:
                folders.remove(name)
                relative = (place / name).relative_to(root)
                rows.append(_row(str(relative), relative.parts[0], problem=LEAVES))
        for name in list(folders):
            if (place / name).suffix.lower() in AUDIO_SUFFIXES:
                folders.remove(name)
                relative = (place / name).relative_to(root)
                rows.append(_row(str(relative), relative.parts[0], problem="a folder, not an audio file"))
        for name in names:
            if name.startswith(".") or name.lower() in CLUTTER or (place == root and name == EVENTS):
                continue
            relative = (place / name).relative_to(root)
            label = relative.parts[0] if len(relative.parts) > 1 else ""
            problem = ""
            linked = (place / name).is_symlink()
            if linked and not follow_links and inside not in (place / name).resolve().parents:
                problem = LEAVES if (place / name).exists() else "a link to nothing"
            elif not is_music(place / name):
                problem = max_quarantined.NOT_MUSIC
                if relative.suffix.lower() in FOREIGN_SUFFIXES:
                    problem = foreign(relative)
            # label/artist/album/file: clips of one artist stand together, also under two labels
            group = relative.parts[1] if len(relative.parts) > 2 and not NO_GROUP.fullmatch(relative.parts[1]) else ""
            rows.append(_row(str(relative), label, group=group, problem=problem))
    good = [row for row in rows if not row["problem"]]
    shares = Counter(row["group"] for row in good)
    for row in good:
        if shares[row["group"]] > max(1, len(good) / 2):  # says nothing: most are of it
            row["group"] = row["path"]
    if any(row["label"] for row in rows if not row["problem"]):
        for row in rows:
            if not row["label"] and not row["problem"]:
                row["problem"] = "not in a label's folder: move it to <label>/<file>"
    return rows


def is_music(path: Path) -> bool:
    """By its name, or because libsndfile reads it."""
    return path.suffix.lower() in AUDIO_SUFFIXES or _is_sound(path)


def foreign(path: Path) -> str:
    """What to do with one of `FOREIGN_SUFFIXES`."""
    return f"{path.suffix.lower()} cannot be read: convert it to FLAC or WAV"


def _is_sound(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            if BEGINNINGS.match(file.read(128)):
                return True
        with without_remarks():
            info = soundfile.info(path)
        return info.frames > 0 and info.format != "RAW"  # which is a guess by the suffix
    except (soundfile.LibsndfileError, OSError, TypeError):
        return False


def _raise(error: OSError) -> None:
    raise error


def _scan_csv(path: Path) -> list[dict]:
    rows, seen = [], {}
    text, separator, first = read_csv(path)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, delimiter=separator, strict=True)
        reader.fieldnames = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        _check_header(path, reader.fieldnames)
        for record in reader:
            values = {key: (record.get(key) or "").strip() for key in CSV_COLUMNS}
            line = reader.line_num + first
            where = f"{path}, line {line}"
            if None in record:
                raise SourceError(f"{where}: more fields than columns; put quotes around names with commas")
            if not values["path"] or not values["label"]:
                mark = next((mark for mark in ";\t|" if mark in values["path"] and mark != separator), "")
                why = f" (its columns are separated by {mark!r}, and the first line's by commas)" if mark else ""
                raise SourceError(f"{where}: path and label must both be given{why}")
            if values["split"] not in CSV_SPLITS:
                meant = next((name for name, also in SPLIT_ALSO.items() if values["split"].lower() in also), "")
                raise SourceError(
                    f"{where}: split is {values['split']!r}; it may be train, validation, test or empty"
                    + (f": write {meant}" if meant else "")
                )
            meant = values["path"]
            if "\0" not in meant:  # which no file's name holds
                meant = os.path.realpath(path.parent / meant)
            if meant in seen:
                before, earlier = seen[meant]
                other = "" if before == values["path"] else f"; line {earlier} calls it {before}"
                raise SourceError(f"{where}: {values['path']} is listed a second time{other}")
            seen[meant] = values["path"], line
            rows.append(_row(values["path"], values["label"], values["split"] or "all", values["group"]))
    except csv.Error as error:
        why = str(error)
        if "end of data" in why:
            why = "an opening quotation mark is not closed"
        elif "expected after" in why:
            why = "a quotation mark inside a name must be doubled, and quotes put around the name"
        raise SourceError(f"{path}, line {reader.line_num + 1 + first}: {why}") from error
    if not rows:
        raise SourceError(f"{path} names no file: add one line path,label for each file below the first line")
    splits = {row["split"] for row in rows}
    if "all" in splits and len(splits) > 1:
        missing = next(row["path"] for row in rows if row["split"] == "all")
        raise SourceError(f"{path}: {missing} has no split though others do; give every row one, or none")
    return rows


def read_csv(path: Path) -> tuple[str, str, int]:
    """(text, separator, lines taken off) of a CSV. Excel writes UTF-16 with a mark, and `sep=;` into a first line of its own."""
    content = path.read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SourceError(f"{path}, line {line}: it is not in UTF-8: save it again as CSV UTF-8") from error
    if not marked and text[:200].count("\0") > len(text[:200]) / 4:
        raise SourceError(f"{path} is not in UTF-8 (each second byte is zero): save it again as CSV UTF-8")
    if not text.strip():
        raise SourceError(f"{path} is empty: its first line must name the columns path,label")
    found = re.match(r"sep=(.)(\r\n|\r|\n)", text, re.IGNORECASE)
    return (text[found.end() :], found[1], 1) if found else (text, ",", 0)


def _check_header(path: Path, names: list[str]) -> None:
    """Raise `SourceError` that names the cause where a CSV's first line does not say what its columns are."""
    names = [name for name in names if name]  # an index without a name, or a comma at the end
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise SourceError(f"{path}: its first line names the column {twice[0]} twice; which one is meant?")
    if {"path", "label"} <= set(names) <= CSV_COLUMNS:
        return
    found = ",".join(names) or "nothing"
    why = ""
    renamed = {name: key for key, also in CSV_ALSO.items() for name in names if name in also and key not in names}
    for mark, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and mark in names[0]:
            why = f". Its columns are separated by {called}: export it again with commas"
            found = names[0]
    if not why and renamed:
        why = f": call {', '.join(f'{name} {key}' for name, key in renamed.items())}"
    elif not why and {"path", "label"} <= set(names):
        why = f": take out {', '.join(sorted(set(names) - CSV_COLUMNS))}"
    raise SourceError(
        f"{path}: its first line must name the columns path,label (and split, group if you have them), not {found!r}{why}"
    )


def _hash(root: Path, rows: list[dict]) -> None:
    """Fill in each row's hash, or its problem; unchanged files (size, time, inode) are not read again."""
    known = _known_hashes()
    fresh = dict(known)
    for row in rows:
        if row["problem"]:
            continue
        file = root / row["path"]
        try:
            info = file.stat()
            if not stat.S_ISREG(info.st_mode):
                row["problem"] = "a folder, not an audio file" if stat.S_ISDIR(info.st_mode) else "not a regular file"
                continue
            key, state = str(file.absolute()), [info.st_size, info.st_mtime_ns, info.st_ino]
            if known.get(key, [])[:3] != state:
                fresh[key] = [*state, sha256(file)]
            row["sha256"] = fresh[key][3]
        except FileNotFoundError:
            row["problem"] = "a link to nothing" if file.is_symlink() else "does not exist"
            if "\\" in row["path"] and os.sep == "/":
                row["problem"] = "does not exist: its path is written with backslashes; write / instead"
            elif row["path"][0] in QUOTES and row["path"][-1] in QUOTES:
                row["problem"] = (
                    'does not exist: its path is in quotation marks that are not those of CSV; write " or none'
                )
        except PermissionError:
            row["problem"] = "is not readable: give yourself permission"
        except OSError as error:
            row["problem"] = f"cannot be read: {error.strerror}"
        except ValueError:
            row["problem"] = "its name contains a character that file names cannot have"
    if fresh != known:
        with atomic(HASHES) as temporary:
            temporary.write_text(json.dumps(fresh))


def _known_hashes() -> dict[str, list]:
    """What was hashed before; nothing where the file is spoilt, because it only saves reading."""
    try:
        known = json.loads(HASHES.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    rows = known.items() if isinstance(known, dict) else ()
    return {path: row for path, row in rows if isinstance(row, list) and len(row) == 4 and isinstance(row[3], str)}
