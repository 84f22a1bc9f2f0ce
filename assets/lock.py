"""Read dvc.lock while a plain `dvc repro` may be writing it, which it does in place and not at once."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import yaml
from dvc.exceptions import DvcException

from pipelines import recipe

SETTLED = 2.0  # seconds without a write after which the file counts as complete
T = TypeVar("T")


def read(project: Path) -> dict[str, dict]:
    """Stage -> its entry (cmd, deps, params, outs); empty before the first run. Raises `yaml.YAMLError` if it is damaged."""
    return whole(project, lambda: recipe.locked_stages(project))


def read_with(project: Path, stage: str, outs: Iterable[str]) -> dict[str, dict]:
    """The same, after waiting for the entry of `stage`: after a short command DVC may be writing the file again already."""
    entries = read(project)
    while not holds(entries, stage, outs) and being_written(project):
        time.sleep(0.1)
        entries = read(project)
    return entries


def holds(entries: Mapping[str, Mapping], stage: str, outs: Iterable[str]) -> bool:
    """Is there an entry of `stage` with the hash of each of its outputs?"""
    hashed = {out["path"] for out in entries.get(stage, {}).get("outs", []) if len(out.get("md5", "")) >= 32}
    return hashed == set(outs)


def being_written(project: Path) -> bool:
    path = project / recipe.LOCK
    return path.exists() and time.time() - path.stat().st_mtime < SETTLED


def whole(project: Path, read: Callable[[], T]) -> T:
    """Call `read`, which reads dvc.lock, and again after an error while dvc.lock is being written."""
    while True:
        try:
            return read()
        except (yaml.YAMLError, DvcException):
            if not being_written(project):
                raise
            time.sleep(0.1)
