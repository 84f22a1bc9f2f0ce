"""Look at the users' own folders before the stages that read them run.

A folder outside the project is no dependency that DVC could hash in reasonable time; its fingerprint in params.yaml is.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from assets import repro

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
    params = project / "params.yaml"
    settings = yaml.safe_load(params.read_text(encoding="utf-8")) if params.exists() else None
    datasets = (settings or {}).get("datasets")
    if not isinstance(datasets, dict):
        return set()
    return {name for name, entry in datasets.items() if isinstance(entry, dict) and "fingerprint" in entry}
