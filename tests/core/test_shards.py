"""Shards give back what was written, are plain NPY, and never appear half-written."""

import gc
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import shards


@given(lengths=st.lists(st.integers(0, 300), min_size=1, max_size=8), bands=st.integers(1, 5))
def test_clips_come_back(tmp_path_factory, lengths, bands):
    folder = tmp_path_factory.mktemp("shards")
    clips = [np.random.default_rng(n).standard_normal((n, bands)).astype(np.float16) for n in lengths]
    with shards.writer(shards.shard_path(folder, 0), "float16", (bands,)) as write_clip:
        places = [write_clip([clip[:7], clip[7:]]) for clip in clips]
    (shard,) = shards.open_shards(folder)
    assert shard.shape == (sum(lengths), bands)
    for (offset, length), clip in zip(places, clips, strict=True):
        np.testing.assert_array_equal(shard[offset : offset + length], clip)


def test_a_failing_clip_leaves_no_trace(tmp_path):
    def breaks_off():
        yield np.ones(10, np.int16)
        raise RuntimeError("damaged")

    path = shards.shard_path(tmp_path, 3)
    with shards.writer(path, "int16") as write_clip:
        write_clip([np.arange(5, dtype=np.int16)])
        with pytest.raises(RuntimeError):
            write_clip(breaks_off())
        assert write_clip([np.arange(4, dtype=np.int16)]) == (5, 4)
    np.testing.assert_array_equal(np.load(path), [0, 1, 2, 3, 4, 0, 1, 2, 3])


def test_an_interrupted_shard_has_no_name(tmp_path):
    with pytest.raises(KeyboardInterrupt), shards.writer(shards.shard_path(tmp_path, 0), "int16") as write_clip:
        write_clip([np.ones(1000, np.int16)])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError, match="run the stage"):
        shards.open_shards(tmp_path)


def test_wrong_row_shape(tmp_path):
    with (
        pytest.raises(ValueError, match="rows"),
        shards.writer(shards.shard_path(tmp_path, 0), "float16", (96,)) as write_clip,
    ):
        write_clip([np.zeros((3, 128))])


@pytest.mark.parametrize("row_shape", [(), (3,)])
def test_crops_are_the_same_cold_and_warm(tmp_path, row_shape):
    values = np.random.default_rng(0).integers(-999, 999, (500, *row_shape)).astype(np.int16)
    for number, part in enumerate((values[:0], values[:300], values[300:])):
        with shards.writer(shards.shard_path(tmp_path, number), "int16", row_shape) as write_clip:
            write_clip([part])
    read, rng = shards.Crops(tmp_path), np.random.default_rng(1)
    for _ in range(200):
        first, n_rows = (int(n) for n in rng.integers(0, 300, 2))
        np.testing.assert_array_equal(read(1, first, n_rows), values[:300][first : first + n_rows])
    assert read.cold[1] <= 0 < read.cold[2], "the first is in memory now, the second was never read"
    np.testing.assert_array_equal(read(2, 100, 100), values[400:])


def test_crops_close_their_files_in_silence(tmp_path, recwarn):
    with shards.writer(shards.shard_path(tmp_path, 0), "int16", ()) as write_clip:
        write_clip([np.arange(10, dtype=np.int16)])
    read = shards.Crops(tmp_path)
    (file,) = read.files
    os.fstat(file)
    del read
    gc.collect()
    with pytest.raises(OSError):
        os.fstat(file)
    assert not [warning for warning in recwarn if str(tmp_path) in str(warning.message)]
