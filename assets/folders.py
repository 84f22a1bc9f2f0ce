"""Find changes in folders of the user's own, before the stages that read them run.

DVC cannot hash a folder outside the project in reasonable time. Its fingerprint in params.yaml is the dependency instead.
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
"""The keys of a dataset's entry in params.yaml that name its folder, archive or table."""
COMMAND = [sys.executable, "-m", "pipelines.cli", "refresh"]


def refresh(project: Path, names: Iterable[str] | None, say: Callable[[str], None]) -> None:
    """Update the fingerprints in params.yaml if any of the datasets `names` (None: any at all) is a folder of the user's own.

    Raises `repro.StageError` if one cannot be read.
    """
    known = fingerprinted(project)
    if known if names is None else known & set(names):
        for line in repro.lines(project, COMMAND):
            say(line)


def fingerprinted(project: Path) -> set[str]:
    """The datasets and views that are folders of the user's own, and the encoders, which lie outside the project too."""
    own = _datasets(project) | _section(project, "views")
    return {name for name, entry in own.items() if "fingerprint" in entry} | set(_section(project, "encoders"))


def away(project: Path) -> list[str]:
    """The watched folders and archives that are missing, and the tables whose files are all missing (an unmounted disk, say)."""
    gone = []
    for place in _places(project):
        path = project / Path(place).expanduser()
        if not path.exists():
            gone.append(place)
        elif (listed := _listed(path)) and not any(map(os.path.exists, listed)):
            gone.append(f"the files that {place} lists")
    return gone


def uncommitted(project: Path) -> list[str]:
    """Datasets and .dvc files with uncommitted changes; [] outside git. A retraining starts from the commit but updates the
    fingerprints itself, so a changed fingerprint does not count."""
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
    """(digest, number of files) of the watched data: of the name, size and time of every file in the datasets' folders and
    archives, every file that a dataset's CSV lists, and every .dvc file of the project. Cheaper than a fingerprint: only such
    CSVs are opened."""
    digest, count = hashlib.sha256(), 0
    for file in _watched(project):
        with contextlib.suppress(OSError, ValueError):  # deleted since it was listed, or not a file name, in a CSV
            status = os.stat(file)
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
            count += 1
    return digest.hexdigest()[:16], count


def _watched(project: Path) -> Iterator[str | Path]:
    for place in (project / Path(place).expanduser() for place in _places(project)):
        if place.is_file():
            yield place
            yield from _listed(place)
        else:
            yield from _files(place)
    yield from recipe.dvc_files(project)


def _listed(table: Path) -> list[str]:
    """The files that a dataset's CSV lists; none if it cannot be read, which the run will report."""
    if table.suffix.lower() != ".csv" or not table.is_file():
        return []
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            names = [(row.get("path") or "").strip() for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error):
        return []
    return [os.path.join(table.parent, name) for name in names if name]


def _files(folder: Path) -> Iterator[str]:
    """Every file below a folder, links to folders followed as for a dataset, but for a link to a folder that contains it."""
    around = {str(folder): frozenset(map(str, Path(os.path.realpath(folder)).parents))}
    for root, folders, names in os.walk(folder, followlinks=True):
        inside = around.pop(root) | {os.path.realpath(root)}
        below = {name: os.path.join(root, name) for name in sorted(folders)}
        folders[:] = [
            name for name, path in below.items() if not (os.path.islink(path) and os.path.realpath(path) in inside)
        ]
        around |= {below[name]: inside for name in folders}
        yield from (os.path.join(root, name) for name in sorted(names))


def _places(project: Path) -> Iterator[str]:
    """Folders, archives, tables and files outside the project: of datasets, of encoders, and of views."""
    for entry in _datasets(project).values():
        yield from (entry[key] for key in WATCHED if entry.get(key))
    for entry in [*_section(project, "encoders").values(), *_section(project, "views").values()]:
        files = entry.get("files")
        for file in files.values() if isinstance(files, dict) else [entry]:
            yield from (file[key] for key in ("path", "ids") if isinstance(file, dict) and file.get(key))


def _datasets(project: Path) -> dict[str, dict]:
    return _section(project, "datasets")


def _section(project: Path, section: str) -> dict[str, dict]:
    params = project / "params.yaml"
    return _entries(params.read_text(encoding="utf-8"), section) if params.exists() else {}


def _entries(text: str, section: str = "datasets") -> dict[str, dict]:
    found = (yaml.safe_load(text) or {}).get(section)
    return {name: entry for name, entry in found.items() if isinstance(entry, dict)} if isinstance(found, dict) else {}
