"""The fingerprint of a model or of vectors outside the project, where DVC cannot watch them: 16 hex digits of their bytes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pipelines.core.files import place, sha256

UNREAD = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".md", ".tflite", ".ot")
"""Suffixes of a model's folder that are never read: weights in other formats, and text for people."""


def of(path: str, *others: str) -> str:
    """The fingerprint of a file, or of the files of a folder that are read, with their names; `others` are further files.

    Raises `FileNotFoundError` where there is nothing at `path`, `ValueError` where a folder has nothing to read.
    """
    digest = hashlib.sha256()
    for one in (path, *others):
        root = place(one)
        if not root.exists():
            raise FileNotFoundError(f"{one} does not exist: correct its path in params.yaml, or mount its disk")
        files = sorted(_files(root)) if root.is_dir() else [root]
        if not files:
            raise ValueError(f"{one} is a folder without a file to read")
        for file in files:
            name = file.relative_to(root).as_posix() if root.is_dir() else ""
            digest.update(f"{name}\0{sha256(file)}\n".encode())
    return digest.hexdigest()[:16]


def check(recorded: str, path: str, *others: str) -> None:
    """Raise `ValueError` where the files are not those that params.yaml recorded."""
    found = of(path, *others)
    if found != recorded:
        raise ValueError(
            f"{path} is not what params.yaml recorded (fingerprint {found}, not {recorded!r}): it has changed since; "
            "`conservatory run` records it anew"
        )


def entries(encoders: dict) -> Iterator[tuple[str, dict, list[str]]]:
    """(name for a person, the table that has the fingerprint, files) of everything outside the project that encoders, or views,
    read."""
    for name, entry in encoders.items():
        if "files" in entry:
            for dataset, file in entry["files"].items():
                yield f"{name}, {dataset}", file, [file["path"], *([file["ids"]] if "ids" in file else [])]
        elif "path" in entry:
            yield name, entry, [entry["path"]]


def _files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.is_file() and not hidden and path.suffix not in UNREAD:
            yield path
