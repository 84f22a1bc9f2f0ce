"""A folder of your own with MIDI files, ABC tunes or scores. They are read where they are and never touched.

    mine: {module: folder, imports: pipelines/notes/midi, path: /music/midi, fingerprint: "", folders: label,
           split: {train: 0.6, validation: 0.15, test: 0.25}, seed: 2026}

`folders` says what the first folder of a path is: `group` (default), so that `<group>/<file>` keeps the pieces of a work or
composer on one side of a split, or `label`, so that `<label>/<file>` and `<label>/<group>/<file>` give the target `label`. A flat
folder has neither. `split` divides the groups; without it there is no split. `fingerprint` names the bytes that are meant:
`conservatory run` writes it, also in place of "".

MIDI files (`notes/midi`) and ABC (`notes/abc`; each tune of a book is a piece, in a file of its own in `.cache/corpora`) keep
their tempo, metre and key. MusicXML, compressed or not, and Humdrum `**kern` are read as the chorales of music21 are
(`notes/scores.py`): at 120 quarters a minute and without keys.
"""

import hashlib
import json
import os
from pathlib import Path

import pandas as pd

from pipelines import corpora
from pipelines.core import max_quarantined
from pipelines.core.files import place, sha256
from pipelines.notes.abc import read as abc
from pipelines.notes.abc import tunes
from pipelines.notes.midi import read as midi
from pipelines.notes.midi import tracks
from pipelines.notes.scores import piece_of
from pipelines.notes.tables import Piece, Unreadable
from pipelines.symbolic import corpus as symbolic

BIBTEX = ""
LICENSE_INFO = "the user's own"
MIDI = (".mid", ".midi", ".kar", ".rmi", ".smf")
SCORES = (".mxl", ".musicxml", ".xml", ".krn")
SUFFIXES = (*MIDI, ".abc", *SCORES)
UNPACKED = Path(".cache/corpora/folder")
LISTED = ["path", "sha256", "problem"]


def pieces(entry: dict) -> pd.DataFrame:
    """A row a file of `entry["path"]`. Raises `ValueError` if the folder is not what `entry["fingerprint"]` says."""
    root = place(entry["path"])
    files = scan(root)
    found = fingerprint(files)
    if found != entry["fingerprint"]:
        raise ValueError(
            f"{entry['path']} is not what params.yaml recorded (fingerprint {found}, not {entry['fingerprint']!r}): files were "
            "added, changed or removed. `conservatory run` records the present state and goes on."
        )
    labelled = entry.get("folders", "group") == "label"
    rows = []
    for file in files.to_dict("records"):
        folders = Path(file["path"]).parts[:-1]
        row = {
            "path": str(root / file["path"]),
            "title": file["path"],
            "group": "/".join(folders[labelled : labelled + 1]),
            "source": str(Path(entry["path"])),
            "sha256": file["sha256"],
            "problem": file["problem"],
        }
        row |= {"target_label": next(iter(folders), "")} if labelled else {}
        rows += _tunes(row) if row["path"].lower().endswith(".abc") and not row["problem"] else [row]
    return corpora.table(rows, licence=LICENSE_INFO)


def _tunes(row: dict) -> list[dict]:
    """A row for each tune of an ABC file; the file's own where it has none or has changed."""
    content = Path(row["path"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != row["sha256"]:
        return [row]
    try:
        found = tunes.unpack(content, UNPACKED)
    except Unreadable as error:
        return [row | {"problem": str(error)}]
    return [
        row
        | {
            "path": path.as_posix(),
            "title": f"{row['title']}, {number}: {tune.title}",
            "sha256": "",
            "group": row["group"] or (row["title"] if len(found) > 1 else ""),
        }
        for number, (path, tune) in enumerate(found, start=1)
    ]


def read(path: Path, content: bytes) -> Piece:
    """The piece in a file, by its suffix; of a book of tunes the first."""
    suffix = path.suffix.lower()
    if suffix == ".abc":
        return abc.read(tunes.tunes(content)[0].text)
    if suffix not in SCORES:
        return midi.read(content)
    try:
        return piece_of(symbolic.read(symbolic.Piece("", "", "", str(path.absolute()))))
    except ValueError as error:
        raise Unreadable(str(error)) from error


def scan(root: Path) -> pd.DataFrame:
    """A row a file (path relative to `root`, sha256, problem), sorted by path; hidden files are left out, links are not followed.

    Raises `ValueError` where there is no folder, or nothing in it.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is no folder: check the spelling, or mount the disk that holds it")
    rows = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                path = Path(folder, name)
                problem = _problem(path)
                content = "" if problem else sha256(path)
                shown = str(path.relative_to(root)).encode("utf-8", "replace").decode()
                rows.append({"path": shown, "sha256": content, "problem": problem})
    if not rows:
        raise ValueError(f"{root} holds no file")
    return pd.DataFrame(sorted(rows, key=lambda row: row["path"]), columns=LISTED)


def fingerprint(files: pd.DataFrame) -> str:
    """16 hex digits over every row: changes when a file is added, changed, removed or renamed."""
    rows = json.dumps(files[LISTED].to_numpy().tolist(), ensure_ascii=True)
    return hashlib.sha256(rows.encode()).hexdigest()[:16]


def _problem(path: Path) -> str:
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not UTF-8: rename it"
    if path.is_symlink():
        return "a link: links are not followed"
    if not path.is_file():
        return "no regular file"
    if path.suffix.lower() not in SUFFIXES:
        return max_quarantined.NOT_NOTES
    if not os.access(path, os.R_OK):
        return "it may not be read: give yourself permission"
    if (size := path.stat().st_size) > tracks.MAX_BYTES:
        return f"a file of {size:,} bytes: at most {tracks.MAX_BYTES:,} are read"
    return ""
