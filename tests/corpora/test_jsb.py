"""JSB Chorales in their published layout: sides, silence, groups across sides, and files that are not the published one."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from pipelines import corpora
from pipelines.corpora import jsb
from pipelines.notes.representations import satb_grid
from pipelines.notes.tables import Unreadable


def melody(seed, n=96):
    """Four voices in a random walk of quarters, `n` steps."""
    steps = np.random.default_rng(seed).integers(-2, 3, (n // 4, 4)).cumsum(axis=0)
    return np.repeat(steps + np.array([72, 65, 58, 50]), 4, axis=0)


@pytest.fixture
def published(in_tmp, monkeypatch):
    """A file in the layout of the published one, and its entry."""
    same = melody(1)
    chorales = {"test": [same + 3, melody(2)], "train": [same, melody(3)], "valid": [melody(4)]}
    chorales["train"][1][:4, 3] = -1
    content = json.dumps({side: [piece.tolist() for piece in found] for side, found in chorales.items()}).encode()
    (in_tmp / "music").mkdir()
    (in_tmp / "music" / jsb.FILE).write_bytes(content)
    monkeypatch.setattr(jsb, "SHA256", hashlib.sha256(content).hexdigest())
    return {"module": "jsb", "local": str(in_tmp / "music")}


def test_pieces_and_sides(published):
    table = corpora.load(published).pieces(published)
    assert set(corpora.PIECE_COLUMNS) <= set(table) and table["path"].is_unique
    assert table["split"].tolist() == ["test", "test", "train", "train", "validation"]
    found = [jsb.read(path, path.read_bytes()) for path in map(Path, table["path"])]
    grids = [satb_grid.compute(piece.notes, piece.length)[:, :4] for piece in found]
    wanted = melody(3)
    wanted[:4, 3] = 0
    assert (grids[3] == wanted).all() and (grids[0] == melody(1) + 3).all()
    groups = jsb.regroup(table["title"].tolist(), found)
    assert groups[0] == groups[2] and len(set(groups)) == 4, "a transposed setting on two sides is one group"
    assert (
        jsb.pieces(published | {"local": published["local"] + "/" + jsb.FILE})["path"].tolist()
        == table["path"].tolist()
    )


def test_another_file_is_refused(published, in_tmp):
    path = in_tmp / "music" / jsb.FILE
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ValueError, match="is not the published file"):
        jsb.pieces(published)
    path.unlink()
    with pytest.raises(ValueError, match="has no Jsb16thSeparated.json"):
        jsb.pieces(published)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"[[60,60,60]]", b"[[1,2,3,128]]", b"[[-2,0,0,0]]", b'["a"]', b"[" * 9999, b"5"]
)
def test_a_piece_that_is_none(content, in_tmp):
    with pytest.raises(Unreadable):
        jsb.read(in_tmp / "x.json", content)
