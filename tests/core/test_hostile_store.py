"""Files in the store that would run something or fill the memory."""

import os

import numpy as np
import pytest

from pipelines.core import cache, files, shards


class Evil:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


def npy(path, header: str, data: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = header.encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)


def test_an_array_of_objects_is_not_unpickled(in_tmp):
    array = np.empty(1, dtype=object)
    array[0] = Evil()
    np.save(in_tmp / "shard-00000.npy", array, allow_pickle=True)
    with pytest.raises(ValueError):
        shards.open_shards(in_tmp)
    place = cache.folder() / "pcm" / "ab" / "abc.npy"
    place.parent.mkdir(parents=True)
    np.save(place, array, allow_pickle=True)
    assert cache.load_array("pcm", "abc") is None
    assert not (in_tmp / "pwned").exists()


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<i2', 'fortran_order': False, 'shape': (9000000000000000,)}",
        "{'descr': '<i2', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "__import__('os').mkdir('pwned')",
        "(" * 100,
        "{'descr': '<i2', 'fortran_order': False, 'shape': ('a',)}",
        "{'descr': 'q" + "9" * 60 + "', 'fortran_order': False, 'shape': (1,)}",
    ],
)
def test_a_header_that_lies(in_tmp, header):
    npy(in_tmp / "shard-00000.npy", header, b"12")
    with pytest.raises(ValueError, match=r"shard-00000\.npy"):
        shards.open_shards(in_tmp)
    npy(cache.folder() / "pcm" / "ab" / "abc.npy", header, b"12")
    assert cache.load_array("pcm", "abc") is None
    assert not (in_tmp / "pwned").exists()


@pytest.mark.parametrize("text", ["[" * 100_000, "\xff\xfe", "{", "", "NaN}"])
def test_json_that_is_none_is_named(in_tmp, text):
    (in_tmp / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"a\.json is not JSON"):
        files.read_json(in_tmp / "a.json")
