"""The clip cache: results for a clip, keyed by the hash of its sound, the parameters and the code's version.

Files `<folder>/<kind>/<two digits>/<key>.npy` (arrays) or `.json` (small records), each written under a temporary name and
renamed, so that several processes may use the cache at once and a killed one leaves nothing half-written. The cache may
be deleted at any time, which costs time only. Every entry has a hash of its content; an entry that no longer matches it (a faulty
disk, an overwritten file) is a cache miss. A read-only cache is read and not written. Reading marks an entry as used; `prune`
removes the least recently used entries.

Whole shards are cached too, as links, so that nothing is copied where nothing changed.

The folder is `.cache/clips`, or that of CONSERVATORY_CACHE (several projects may share one). A size limit of 0 turns the cache
off.
"""

import contextlib
import errno
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.core import shards
from pipelines.core.files import atomic, link, sha256

log = logging.getLogger("cache")
SMALL = 1 << 20  # bytes; reading is then no slower than mapping, and an empty array cannot be mapped
DIGEST_BYTES = 32
LEFTOVER_S = 86_400  # a temporary file older than this belongs to a writer that was killed


def folder() -> Path:
    return Path(os.environ.get("CONSERVATORY_CACHE") or ".cache/clips")


def key(*parts: Any) -> str:
    """64 hex digits over JSON-able parts; the order of a dict's keys does not matter."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def load_array(kind: str, name: str) -> np.ndarray | None:
    """The array kept under (kind, key), memory-mapped where it is large, or None."""
    path = _path(kind, name, "npy")
    with contextlib.suppress(OSError, *shards.SPOILT):  # not there, just pruned, or spoilt by a power cut
        array = np.load(path, mmap_mode="r" if path.stat().st_size > SMALL else None)
        with open(path, "rb") as file:
            file.seek(-DIGEST_BYTES, os.SEEK_END)
            expected = file.read()
        if hashlib.sha256(np.ascontiguousarray(array).data).digest() == expected:
            _used(path)
            return array
    return None


def load_record(kind: str, name: str) -> dict | None:
    """The record kept under (kind, key), or None."""
    path = _path(kind, name, "json")
    with contextlib.suppress(OSError, ValueError, RecursionError):
        text, _, expected = path.read_text(encoding="utf-8").partition("\n")
        record = json.loads(text)
        if isinstance(record, dict) and hashlib.sha256(text.encode()).hexdigest() == expected:
            _used(path)
            return record
    return None


def _used(path: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else's cache, or read-only
        os.utime(path)


def save_array(kind: str, name: str, blocks: Iterable[np.ndarray], dtype: str, row_shape: tuple[int, ...] = ()) -> None:
    """Keep blocks `(rows, *row_shape)` end to end; an error of the iterator goes on to the caller and nothing is kept."""
    digest = hashlib.sha256()

    def hashed() -> Iterator[np.ndarray]:
        for block in blocks:
            block = np.ascontiguousarray(block, dtype=dtype)
            digest.update(block.data)
            yield block

    with _room(kind), atomic(_path(kind, name, "npy")) as temporary:
        with shards.writer(temporary, dtype, row_shape) as write_clip:
            write_clip(hashed())
        with open(temporary, "ab") as file:
            file.write(digest.digest())  # after the array, where readers of NPY do not look


def save_record(kind: str, name: str, record: dict) -> None:
    text = json.dumps(record)
    with _room(kind), atomic(_path(kind, name, "json")) as temporary:
        temporary.write_text(f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}", encoding="utf-8")


def has_array(kind: str, name: str) -> bool:
    return _path(kind, name, "npy").exists()


def has_record(kind: str, name: str) -> bool:
    return _path(kind, name, "json").exists()


def save_shard(kind: str, name: str, path: Path, record: dict) -> None:
    """Keep a finished shard, by a hard link where the file system has them (no second copy on disk)."""
    kept = _path(kind, name, "npy")
    with _room(kind):
        link(path, kept)
        save_record(kind, name, {"sha256": sha256(path), **record})


def load_shard(kind: str, name: str, path: Path) -> dict | None:
    """Put the shard kept under (kind, key) at `path` and return its record, or None."""
    kept, record = _path(kind, name, "npy"), load_record(kind, name)
    with contextlib.suppress(FileNotFoundError):
        # one file with an output of a stage, perhaps, and so spoilt when that is
        if record is not None and sha256(kept) == record["sha256"]:
            link(kept, path)
            return record
    return None


def usage() -> dict[str, tuple[int, int]]:
    """Kind -> (entries, bytes), by name."""
    found: dict[str, tuple[int, int]] = {}
    for path, size, _ in _entries():
        kind = path.parent.parent.name
        count, total = found.get(kind, (0, 0))
        found[kind] = (count + 1, total + size)
    return dict(sorted(found.items()))


def prune(limit_bytes: float, kind: str | None = None) -> tuple[int, int]:
    """Remove what was used longest ago until at most `limit_bytes` remain (of one kind, or of all); return (entries, bytes)
    removed. Temporary files a day old go first.
    """
    entries = [entry for entry in _entries(leftovers=True) if kind is None or entry[0].parent.parent.name == kind]
    total, removed, freed = sum(size for _, size, _ in entries), 0, 0
    for path, size, _ in sorted(entries, key=lambda entry: entry[2]):
        if total <= limit_bytes and path.suffix != ".tmp":
            continue
        with contextlib.suppress(OSError):  # another process was here first, or it may only be read
            path.unlink()
        total, removed, freed = total - size, removed + 1, freed + size
    return removed, freed


def _path(kind: str, name: str, suffix: str) -> Path:
    return folder() / kind / name[:2] / f"{name}.{suffix}"


def _entries(leftovers: bool = False) -> Iterator[tuple[Path, int, float]]:
    """(path, bytes, when it was last used) of every entry; temporary files only if they are `leftovers`."""
    for path in folder().glob("*/??/*"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            if path.suffix != ".tmp" or (leftovers and time.time() - status.st_mtime > LEFTOVER_S):
                yield path, status.st_size, status.st_mtime if path.suffix != ".tmp" else 0.0


@contextlib.contextmanager
def _room(kind: str) -> Iterator[None]:
    """Where the disk is full, or the cache may only be read, go on without keeping: the stage's own outputs come first."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            log.warning(
                "the disk is full: %s is not cached in %s (free space with conservatory cache --prune)", kind, folder()
            )
        elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            log.warning("%s is not writable: %s is not cached", folder(), kind)
        else:
            raise
