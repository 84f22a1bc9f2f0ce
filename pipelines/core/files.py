"""Atomic writes and content hashes."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def place(path: str | os.PathLike) -> Path:
    """Where a user's folder or file lies that params.yaml names. A relative path is meant from the project's folder, also in a
    retraining's worktree: the files stay where they are, and manifests name them in the same words."""
    return Path(os.environ.get("CONSERVATORY_PROJECT", ""), path).absolute()


@contextlib.contextmanager
def atomic(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without error.

    Parent folders are made. On an error the temporary file is removed and `path` is as it was. What was there keeps its mode; of
    a link the file it points to is replaced, unless that is write-protected, and a device or pipe is written into, where a rename
    would make a file of it.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "that is a folder; name a file", str(path))
    if path.exists() and not path.is_file():
        with tempfile.TemporaryDirectory() as folder:
            yield (temporary := Path(folder, "written"))
            with open(path, "wb") as file:
                file.write(temporary.read_bytes())
        return
    # a link may lead into DVC's cache, whose files are write-protected: there it is the link that is replaced
    if path.is_symlink() and (not path.exists() or path.stat().st_mode & 0o222):
        path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() and not path.is_symlink() else 0o644
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)  # mkstemp makes it private
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def link(source: Path, target: Path) -> None:
    """Make `target` a hard link to `source`, or a copy where the file system has no links between the two; in one rename.

    Raises `FileNotFoundError` where there is no `source`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{time.monotonic_ns()}.tmp")
    try:
        try:
            os.link(source, temporary)
        except FileNotFoundError:
            raise
        except OSError:  # another disk, or a file system without links
            shutil.copyfile(source, temporary)
        target.unlink(missing_ok=True)  # renaming one link of a file over another of its links does nothing
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write `value` as indented JSON with a final newline; floats must be finite (NaN is not JSON)."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike) -> Any:
    """The value in a JSON file. Raises `ValueError` that names the file where it is none."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error


def sha256(path: str | os.PathLike) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
