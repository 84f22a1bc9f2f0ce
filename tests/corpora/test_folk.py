"""Folk tunes inside music21: every tune of its books once, and their notes as abc2midi plays them."""

import re
from collections import Counter
from pathlib import Path

import pytest
import symusic

from pipelines import corpora
from pipelines.corpora import folk
from pipelines.notes import scores
from pipelines.symbolic import corpus

UNLIKE = re.compile(r"[{~!HTJ]")
"""Grace notes and ornaments, which abc2midi plays as notes."""
LEFT_OUT = re.compile(r'(?m)"[^"\n]*"|^R:.*\n')
"""Chord symbols, which it plays too, and the kind of tune, by which it changes the rhythm."""


@pytest.fixture(scope="module")
def listed():
    return corpora.load({"module": "folk"}).pieces({"books": ["ryan"]})


def test_it_lists_the_tunes_of_its_books(listed, in_tmp):
    assert len(listed) == len(corpus.catalogue("ryan")) and set(listed["target_book"]) == {"ryan"}
    assert listed["path"].is_unique and (listed["group"] != "").all() and listed["licence"].nunique() == 1


def test_a_book_of_many_tunes_is_unpacked(in_tmp, monkeypatch):
    (in_tmp / "music/airdsAirs").mkdir(parents=True)
    (in_tmp / "music/airdsAirs/book1.abc").write_text("X:1\nT:One\nK:C\nCDE|\n\nX:2\nK:G\nGAB|\n")
    monkeypatch.setattr(corpus, "folder", lambda: in_tmp / "music")
    found = folk.pieces({"books": ["aird"]})
    assert found["group"].tolist() == ["one", "airdsAirs/book1.abc, X: 2"]
    notes = [folk.read(Path(path), Path(path).read_bytes()).notes["pitch"].tolist() for path in found["path"]]
    assert notes == [[60, 62, 64], [67, 69, 71]]


def test_the_notes_are_those_that_abc2midi_plays(listed):
    """The pitches of tunes with all their repeats; the rhythm by which both read dotted notes differs."""
    looked_at = 0
    for path in listed["path"][::50]:
        text = Path(path).read_text()
        if UNLIKE.search(text.partition("K:")[2]):
            continue
        text = LEFT_OUT.sub("", text)
        ours = folk.read(Path(path), text.encode()).notes
        theirs = [note.pitch for track in symusic.Score.from_abc(text).tracks for note in track.notes]
        assert Counter(ours["pitch"].tolist()) == Counter(theirs), path
        looked_at += 1
    assert looked_at >= 10


def test_a_tune_in_two_books_is_one_group(listed):
    pieces = [folk.read(Path(path), Path(path).read_bytes()) for path in listed["path"][:3]]
    higher = pieces[0].notes.copy()
    higher["pitch"] += 2
    again = type(pieces[0])(**{**vars(pieces[0]), "notes": higher})
    assert scores.regroup(["a", "b", "c", "d"], [*pieces, again])[3] == "a"
