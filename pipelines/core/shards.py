"""NPY shards: many arrays end to end in few memory-mapped files, with a Parquet index of their positions.

Time is the first axis (PCM: `(samples,)`; frames: `(frames, bands)`), so that a crop is one contiguous read. With one file per
clip, a crop would take eight times as long, and DVC minutes longer.
"""

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError

import numpy as np
import pyarrow as pa

from pipelines.core.files import atomic
from pipelines.core.tables import column

INDEX = pa.schema(
    [
        column("clip_id", pa.string(), "the clip, as in the manifest", unique=True),
        column("shard", pa.int32(), "number of the shard file"),
        column("offset", pa.int64(), "first row of the clip in the shard", unit="row"),
        column("length", pa.int64(), "rows of the clip (samples, or frames)", unit="row"),
    ]
)

MAX_FILES = 512  # a process may have some 1,000 open; beyond, crops come from the maps alone
SPOILT = (ValueError, EOFError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError, TokenError)
"""Exceptions of numpy for a damaged NPY file."""
HEADER_BYTES = 128  # reserved at the start: the row count is known, and the header written, last


def shard_path(folder: str | os.PathLike, shard: int) -> Path:
    return Path(folder) / f"shard-{shard:05d}.npy"


@contextmanager
def writer(path: str | os.PathLike, dtype: str, row_shape: tuple[int, ...] = ()) -> Iterator[Callable]:
    """Write one shard: yields `write_clip(blocks) -> (offset, length)`, blocks being arrays `(rows, *row_shape)`.

    Blocks go straight to disk, so memory stays bounded whatever a clip's length. If the iterator raises, the
    clip's rows are taken back and the error goes on to the caller, who may continue with the next clip.
    The shard appears under its name only when complete.
    """
    dtype = np.dtype(dtype)
    row_bytes = dtype.itemsize * int(np.prod(row_shape, dtype=np.int64))
    with atomic(path) as temporary, open(temporary, "r+b") as file:
        file.write(b"\0" * HEADER_BYTES)

        def write_clip(blocks) -> tuple[int, int]:
            start = file.tell()
            try:
                for block in blocks:
                    if block.shape[1:] != row_shape:
                        raise ValueError(f"block of shape {block.shape} in a shard of rows {row_shape}")
                    file.write(np.ascontiguousarray(block, dtype=dtype).data)
            except BaseException:
                file.seek(start)
                file.truncate()
                raise
            return (start - HEADER_BYTES) // row_bytes, (file.tell() - start) // row_bytes

        yield write_clip
        rows = (file.tell() - HEADER_BYTES) // row_bytes
        file.seek(0)
        file.write(_header(dtype, (rows, *row_shape)))


def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """An NPY 1.0 header of exactly `HEADER_BYTES` (the format allows any padding)."""
    fields = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    text = repr(fields).encode("latin1")
    size = HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + text.ljust(size - 1) + b"\n"


def open_shards(folder: str | os.PathLike) -> list[np.ndarray]:
    """Memory-map every shard of `folder`, in order. Raises `FileNotFoundError` where there is none, `ValueError` where one is
    spoilt."""
    paths = sorted(Path(folder).glob("shard-*.npy"))
    if not paths:
        raise FileNotFoundError(f"{folder} contains no shard-*.npy: run the stage that makes it")
    return [_open(path) for path in paths]


def _open(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r")
    except SPOILT as error:
        raise ValueError(f"{path} is damaged ({error}): run the stage that makes it, or dvc checkout {path}") from error


class Crops:
    """Short reads at random places of a folder's shards: a positioned read while a shard is cold, the memory map once as many
    bytes as it holds have been read from it and the system has it in memory.

    A map faults in whole neighbourhoods (30 times the bytes of a crop, cold); a positioned read costs a copy (twice the
    time, warm).
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.arrays = open_shards(folder)
        few = len(self.arrays) <= MAX_FILES
        self.cold = [
            array.nbytes * few for array in self.arrays
        ]  # bytes to read before a shard is taken to be in memory
        self.files = [os.open(array.filename, os.O_RDONLY) for array in self.arrays if few]
        weakref.finalize(self, lambda files: [os.close(file) for file in files], self.files)

    def __reduce__(self):
        """Another process opens the folder itself: neither maps nor open files travel."""
        return Crops, (self.folder,)

    def __call__(self, shard: int, first: int, n_rows: int) -> np.ndarray:
        """`(n_rows, ...)`, or fewer at the end of the shard; read-only."""
        array = self.arrays[shard]
        if self.cold[shard] <= 0:
            return array[first : first + n_rows]
        row_bytes = array.nbytes // len(array)
        n_rows = min(n_rows, len(array) - first)
        found = os.pread(self.files[shard], n_rows * row_bytes, array.offset + first * row_bytes)
        self.cold[shard] -= len(found)
        return np.frombuffer(found, array.dtype).reshape(n_rows, *array.shape[1:])
