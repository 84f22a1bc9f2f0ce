"""What fuzzing the readers of lists has found: each was a traceback, and is a sentence."""

import json

import pytest

from pipelines.datasets import gtzan, jamendo, listing, magnatagatune
from pipelines.datasets.sources.published import DatasetError

READERS = {
    "jamendo": lambda path: jamendo.read_tsv(path, "train", "split-0"),
    "jamendo's checksums": jamendo.read_checksums,
    "gtzan's index": gtzan.read_index,
    "gtzan's lists": lambda path: gtzan.read_list(path, {}),
    "magnatagatune": magnatagatune.read_annotations,
    "magnatagatune's info": magnatagatune.read_info,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", [b"\xff\xfe", b"TRACK_ID\t\xff", b"\0"])
def test_bytes_that_are_no_text(tmp_path, name, content):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"list\.txt"):
        READERS[name](path)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"tracks": [["audio"]]}', '{"tracks": 3}', '{"tracks": {"a": {"audio": "x"}}}']
)
def test_an_index_that_is_none(tmp_path, text):
    path = tmp_path / "index.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match="not mirdata's index"):
        gtzan.read_index(path)


def test_a_path_that_no_file_has(in_tmp):
    (in_tmp / "a.wav").write_bytes(b"sound")
    (in_tmp / "list.csv").write_text('path,label\na.wav,rock\n"b\0.wav",folk\n')
    found = listing.scan(in_tmp / "list.csv")
    assert list(found["problem"]) == ["", "its name contains a character that file names cannot have"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"/a.wav": 3}', b'{"/a.wav": [1, 2, 3]}']
)
def test_a_spoilt_memory_of_hashes_costs_time_and_nothing_else(in_tmp, content):
    (in_tmp / "rock").mkdir()
    (in_tmp / "rock/a.wav").write_bytes(b"sound")
    whole = listing.scan(in_tmp)
    path = in_tmp / listing.HASHES
    path.write_bytes(content.replace(b"/a.wav", str(in_tmp / "rock/a.wav").encode()))
    assert listing.scan(in_tmp).equals(whole)
    assert len(json.loads(path.read_text())) == 1
