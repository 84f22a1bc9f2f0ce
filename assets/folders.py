"""Look at the users' own folders before the stages that read them run.

A folder outside the project is no dependency that DVC could hash in reasonable time; its fingerprint in params.yaml is.
"""

import contextlib
import csv
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import yaml

from assets import repro
from pipelines import recipe

WATCHED = ("path", "local")
"""What a dataset's entry in params.yaml calls its folder, archive or table."""
COMMAND = [sys.executable, "-m", "pipelines.cli", "refresh"]


def refresh(project: Path, names: Iterable[str] | None, say: Callable[[str], None]) -> None:
    """Record the present state of the folders among the datasets `names` (None: of all) in params.yaml.

    Does nothing where none of them is a folder. Raises `repro.StageError` if one cannot be read.
    """
    known = fingerprinted(project)
    if known if names is None else known & set(names):
        for line in repro.lines(project, COMMAND):
            say(line)


def fingerprinted(project: Path) -> set[str]:
    """The datasets that are folders of the user's own."""
    return {name for name, entry in _datasets(project).items() if "fingerprint" in entry}


def away(project: Path) -> list[str]:
    """The watched folders and archives that are not there, and the tables of whose files none is: a disk that is not mounted,
    say."""
    gone = []
    for place in (entry[key] for entry in _datasets(project).values() for key in WATCHED if entry.get(key)):
        path = project / Path(place).expanduser()
        if not path.exists():
            gone.append(place)
        elif (listed := _listed(path)) and not any(map(os.path.exists, listed)):
            gone.append(f"the files that {place} lists")
    return gone


def uncommitted(project: Path) -> list[str]:
    """Datasets and .dvc files that git does not have as they are; [] outside git. A retraining starts from the commit, but looks
    at the folders itself: a fingerprint may be newer."""
    status = _git(project, "status", "--porcelain", "--untracked-files=all", "--", "*.dvc")
    if (committed := _git(project, "show", "HEAD:./params.yaml")) is None:
        return []
    before, now = _without_fingerprints(_entries(committed)), _without_fingerprints(_datasets(project))
    changed = [name for name, entry in now.items() if before.get(name) != entry]
    return [*changed, *(line[3:] for line in (status or "").splitlines())]


def _git(project: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True)
    return None if done.returncode else done.stdout


def _without_fingerprints(datasets: dict[str, dict]) -> dict[str, dict]:
    return {
        name: {key: value for key, value in entry.items() if key != "fingerprint"} for name, entry in datasets.items()
    }


def signature(project: Path) -> tuple[str, int]:
    """What the watched data look like from outside, and of how many files: the name, size and time of every file of the datasets'
    folders and archives, of every file that a dataset's CSV lists, and of every .dvc file of the project. Cheap, unlike a
    fingerprint: no file is opened but such CSVs.
    """
    digest, count = hashlib.sha256(), 0
    for file in _watched(project):
        with contextlib.suppress(OSError, ValueError):  # gone since it was listed; or no name of a file, in a CSV
            status = os.stat(file)
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
            count += 1
    return digest.hexdigest()[:16], count


def _watched(project: Path) -> Iterator[str | Path]:
    for entry in _datasets(project).values():
        for place in (project / Path(entry[key]).expanduser() for key in WATCHED if entry.get(key)):
            if place.is_file():
                yield place
                yield from _listed(place)
            else:
                yield from _files(place)
    yield from recipe.dvc_files(project)


def _listed(table: Path) -> list[str]:
    """The files that a dataset's CSV lists; none where it cannot be read, of which the run will tell."""
    if table.suffix.lower() != ".csv" or not table.is_file():
        return []
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            names = [(row.get("path") or "").strip() for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error):
        return []
    return [os.path.join(table.parent, name) for name in names if name]


def _files(folder: Path) -> Iterator[str]:
    """Every file below a folder, in folders that are links too, as a dataset's files are listed; a link to a folder that it is
    in, by whatever way, is not followed."""
    around = {str(folder): frozenset(map(str, Path(os.path.realpath(folder)).parents))}
    for root, folders, names in os.walk(folder, followlinks=True):
        inside = around.pop(root) | {os.path.realpath(root)}
        below = {name: os.path.join(root, name) for name in sorted(folders)}
        folders[:] = [
            name for name, path in below.items() if not (os.path.islink(path) and os.path.realpath(path) in inside)
        ]
        around |= {below[name]: inside for name in folders}
        yield from (os.path.join(root, name) for name in sorted(names))


def _datasets(project: Path) -> dict[str, dict]:
    params = project / "params.yaml"
    return _entries(params.read_text(encoding="utf-8")) if params.exists() else {}


def _entries(text: str) -> dict[str, dict]:
    datasets = (yaml.safe_load(text) or {}).get("datasets")
    return (
        {name: entry for name, entry in datasets.items() if isinstance(entry, dict)}
        if isinstance(datasets, dict)
        else {}
    )
