"""A folder of your own with MIDI files. They are read where they are and never touched.

    mine: {module: folder, imports: pipelines/notes/midi, path: /music/midi, fingerprint: "", folders: label,
           split: {train: 0.6, validation: 0.15, test: 0.25}, seed: 2026}

`folders` says what the first folder of a path is: `group` (default), so that `<group>/<file>` keeps the pieces of a work or
composer on one side of a split, or `label`, so that `<label>/<file>` and `<label>/<group>/<file>` give the target `label`. A flat
folder has neither. `split` divides the groups; without it there is no split. `fingerprint` names the bytes that are meant:
`conservatory run` writes it, also in place of "".
"""

import hashlib
import json
import os
from pathlib import Path

import pandas as pd

from pipelines.core import max_quarantined
from pipelines.core.files import place, sha256
from pipelines.notes.midi import read as midi
from pipelines.notes.midi import tracks
from pipelines.notes.tables import Piece

BIBTEX = ""
LICENSE_INFO = "the user's own"
SUFFIXES = (".mid", ".midi", ".kar", ".rmi", ".smf")
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
    parts = files["path"].map(lambda path: Path(path).parts[:-1])
    labelled = entry.get("folders", "group") == "label"
    table = pd.DataFrame(
        {
            "path": [str(root / path) for path in files["path"]],
            "title": files["path"],
            "split": "all",
            "group": parts.map(lambda folders: "/".join(folders[labelled : labelled + 1])),
            "source": str(Path(entry["path"])),
            "licence": LICENSE_INFO,
            "sha256": files["sha256"],
            "problem": files["problem"],
        }
    )
    return table.assign(target_label=parts.map(lambda folders: next(iter(folders), ""))) if labelled else table


def read(path: Path, content: bytes) -> Piece:
    return midi.read(content)


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
