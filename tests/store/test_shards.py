"""Shards give back what was written, are plain NPY, and never appear half-written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.store import shards


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
