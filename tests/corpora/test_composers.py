"""Composers of music21's corpus: works as groups, and pieces read with the notes of their scores."""

from pathlib import Path

import pytest

from pipelines import corpora
from pipelines.corpora import composers
from pipelines.notes.tables import Unreadable
from pipelines.symbolic import corpus


@pytest.fixture(scope="module")
def listed():
    return corpora.load({"module": "composers"}).pieces({})


def test_works_are_groups(listed):
    """The figures that music21 10 has: 101 masses, and ten quartets of Beethoven."""
    assert set(corpora.PIECE_COLUMNS) <= set(listed.columns) and listed["path"].is_unique
    assert listed["target_composer"].value_counts().to_dict() == {
        "Palestrina": 1318, "Bach": 409, "Monteverdi": 48, "Beethoven": 22,
    }  # fmt: skip
    works = listed.groupby("target_composer")["group"].nunique()
    assert works["Palestrina"] == 101 and works["Beethoven"] == 10
    assert (listed.groupby("group")["target_composer"].nunique() == 1).all()


def test_composers_of_few_works_only_if_asked_for(listed):
    more = composers.pieces({"few_works": True})
    added = more[~more["path"].isin(listed["path"])]
    assert added.groupby("target_composer")["group"].nunique().to_dict() == {"Haydn": 2, "Mozart": 4}


def test_a_piece_of_each_has_the_notes_of_its_score(listed):
    shortest = listed.assign(size=[Path(path).stat().st_size for path in listed["path"]]).sort_values("size")
    for path in shortest.groupby("target_composer")["path"].first():
        music = corpus.read(corpus.Piece("", "", "", Path(path).relative_to(corpus.folder()).as_posix()))
        piece = composers.read(Path(path), b"")
        ours = sorted(piece.notes[["onset", "duration", "pitch", "track"]].tolist())
        assert ours == sorted(music.notes[["onset", "duration", "pitch", "voice"]].tolist()) and len(ours) > 30


def test_a_file_that_is_not_there():
    with pytest.raises(Unreadable):
        composers.read(corpus.folder() / "bach" / "nothing.mxl", b"")
