"""The cache by what it promises: found again, bounded, shared, and harmless to lose."""

import json
import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import PROJECT
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import cache
from pipelines.core.code import code_version, reached

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSERVATORY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def keep(kind, name, values):
    cache.save_array(kind, cache.key(name), [np.asarray(values, "float32")], "float32")


def test_what_is_kept_is_found_and_nothing_else():
    frames = np.random.default_rng(0).standard_normal((7, 3)).astype("float16")
    name = cache.key("sound", {"n_fft": 512}, "v1")
    assert cache.load_array("log_mel", name) is None and cache.load_record("log_mel", name) is None
    cache.save_array("log_mel", name, [frames[:4], frames[4:]], "float16", (3,))
    cache.save_array("beats", name, [np.zeros((0, 1), "float32")], "float32", (1,))
    assert cache.load_array("beats", name).shape == (0, 1)
    np.testing.assert_array_equal(cache.load_array("log_mel", name), frames)
    assert cache.load_array("mfcc", name) is None
    record = {"mean": 0.1, "n": 3, "ü": "é"}
    cache.save_record("pooled", name, record)
    assert cache.load_record("pooled", name) == record


@given(JSON, JSON)
def test_keys_differ_where_the_parts_do(a, b):
    same = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    assert (cache.key(a) == cache.key(b)) == same


def test_the_order_of_parameters_does_not_matter():
    assert cache.key({"a": 1, "b": 2}) == cache.key({"b": 2, "a": 1}) != cache.key({"a": 2, "b": 1})


def test_an_iterator_that_fails_leaves_nothing(own_cache):
    def blocks():
        yield np.zeros(5, "float32")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        cache.save_array("pcm", cache.key(1), blocks(), "float32")
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("left", [b"", b"\0" * 128, b"\x93NUMPY"])
def test_a_spoilt_entry_is_a_miss(own_cache, left):
    keep("log_mel", 1, [1, 2])
    (path,) = own_cache.rglob("*.npy")
    path.write_bytes(left)
    assert cache.load_array("log_mel", cache.key(1)) is None
    keep("log_mel", 1, [1, 2])
    assert cache.load_array("log_mel", cache.key(1)).tolist() == [1, 2]


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 1.0])
def test_one_byte_that_changed_makes_a_miss(own_cache, place, tmp_path):
    """A disk that forgot a bit: what is read would be whole, and wrong."""
    keep("log_mel", 1, np.arange(1000))
    cache.save_record("pooled", cache.key(1), {"mean": 12345.678, "n": 3})
    shard, out = tmp_path / "shard-00000.npy", tmp_path / "out.npy"
    np.save(shard, np.arange(1000))
    cache.save_shard("shards", cache.key(1), shard, {"rows": []})
    assert cache.load_shard("shards", cache.key(1), out) is not None
    for path in own_cache.rglob("*.*"):
        content = bytearray(path.read_bytes())
        content[int(place * (len(content) - 1))] ^= 1
        path.write_bytes(content)
    assert cache.load_array("log_mel", cache.key(1)) is None
    assert cache.load_record("pooled", cache.key(1)) is None
    assert cache.load_shard("shards", cache.key(1), out) is None


@pytest.mark.skipif(not os.path.isdir("/sys/kernel"), reason="wants a folder that nobody may write to")
def test_a_cache_that_may_not_be_written_costs_time_only(monkeypatch, caplog):
    monkeypatch.setenv("CONSERVATORY_CACHE", "/sys/kernel/conservatory")
    keep("log_mel", 1, [1, 2])
    cache.save_record("pooled", cache.key(1), {})
    assert cache.load_array("log_mel", cache.key(1)) is None
    assert "is not writable" in caplog.text


def test_pruning_removes_what_was_used_longest_ago(own_cache):
    for name in range(4):
        keep("log_mel", name, np.zeros(1000))
        (path,) = [p for p in own_cache.rglob("*.npy") if p.name.startswith(cache.key(name))]
        os.utime(path, (1000 + name, 1000 + name))
    assert cache.load_array("log_mel", cache.key(0)) is not None  # used now
    size = cache.usage()["log_mel"][1]
    assert cache.prune(size * 0.6) == (2, size // 2)
    left = [n for n in range(4) if cache.load_array("log_mel", cache.key(n)) is not None]
    assert left == [0, 3]
    keep("mfcc", 9, [1])
    cache.prune(0, "log_mel")
    assert list(cache.usage()) == ["mfcc"]
    assert cache.prune(1e9) == (0, 0)


def test_what_a_killed_writer_left_goes_with_time(own_cache):
    keep("pcm", 1, [1])
    (entry,) = own_cache.rglob("*.npy")
    young, old = (entry.with_name(f".{name}.tmp") for name in ("young", "old"))
    for path in (young, old):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * cache.LEFTOVER_S,) * 2)
    assert cache.usage()["pcm"][0] == 1
    assert cache.prune(1e9)[0] == 1
    assert young.exists() and entry.exists() and not old.exists()


def hammer(seed):
    rng = np.random.default_rng(seed)
    for name in rng.integers(0, 20, 150).tolist():
        found = cache.load_array("x", cache.key(name))
        if found is None:
            keep("x", name, np.full(1000, name))
        elif not (found == name).all():
            return "torn"
        if name == 7:
            cache.prune(40_000)
    return "whole"


def test_two_processes_at_once():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(hammer, [1, 2]) == ["whole", "whole"]


def test_the_version_of_code_follows_what_it_imports(tmp_path):
    """An edit of a module changes the version of what imports it, and of nothing else."""
    versions = "import sys; from pipelines.core.code import code_version as v; print(*map(v, sys.argv[1:]))"
    names = ["pipelines.audio.decode", "pipelines.features.log_mel"]

    def ask():
        command = [sys.executable, "-c", versions, *names]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()

    import shutil

    shutil.copytree(PROJECT / "pipelines", tmp_path / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    before = ask()
    assert before == [code_version(name) for name in names]
    with (tmp_path / "pipelines/audio/probe.py").open("a") as file:
        file.write("\n# a comment\n")
    after = ask()
    assert after[0] != before[0] and after[1] == before[1]


def test_every_library_behind_a_feature_has_a_version():
    from pipelines.core import code

    for path in (PROJECT / "pipelines" / "features").glob("[a-z]*.py"):
        _, packages = reached(f"pipelines.features.{path.stem}")
        assert not [p for p in packages if p not in sys.stdlib_module_names and not code._version(p)]
