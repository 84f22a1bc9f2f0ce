"""Chorales as note tables: the notes of the score, in MIDI and back, and transpositions in one group."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import symusic

from pipelines import corpora
from pipelines.corpora import chorales
from pipelines.notes import scores
from pipelines.notes.midi.read import read
from pipelines.notes.midi.write import write
from pipelines.notes.tables import Unreadable
from pipelines.symbolic import corpus


@pytest.fixture(scope="module")
def listed():
    return corpora.load({"module": "chorales"}).pieces({})


@pytest.fixture(scope="module")
def some(listed):
    """Path -> piece of a few chorales, with triplets, pickups and more than four parts among them."""
    paths = [Path(path) for path in listed["path"][::50]]
    return {path: chorales.read(path, b"") for path in paths}


def test_it_lists_works(listed):
    assert set(corpora.PIECE_COLUMNS) <= set(listed.columns) and len(listed) > 400
    assert listed["path"].is_unique and 1 < listed["group"].nunique() < len(listed)


def test_the_notes_are_those_of_the_score(some):
    for path, piece in some.items():
        music = corpus.read(corpus.Piece("chorale", "", "", path.relative_to(corpus.folder()).as_posix()))
        ours = sorted(piece.notes[["onset", "duration", "pitch", "track"]].tolist())
        assert ours == sorted(music.notes[["onset", "duration", "pitch", "voice"]].tolist())
        assert piece.length == music.length == 2 * piece.length_s and 9 not in piece.notes["channel"]
        assert piece.metres["onset"][0] == 0 and (np.diff(piece.metres["onset"]) > 0).all()


def test_midi_keeps_a_chorale(some):
    for piece in some.values():
        content, exchanged = write(piece)
        found = read(content)
        assert exchanged == 0 and found.metres.tolist() == piece.metres.tolist()
        for name in ("onset", "duration", "onset_s", "duration_s"):
            np.testing.assert_allclose(found.notes[name], piece.notes[name], atol=1e-9)
        for name in ("pitch", "track", "velocity", "channel", "program"):
            assert (found.notes[name] == piece.notes[name]).all()
        peer = symusic.Score.from_midi(content)
        theirs = [(note.time / peer.ticks_per_quarter, note.pitch) for track in peer.tracks for note in track.notes]
        np.testing.assert_allclose(sorted(theirs), sorted(piece.notes[["onset", "pitch"]].tolist()), atol=1e-9)


def test_transpositions_are_one_group(some):
    first, second, *_ = some.values()
    higher = replace(first, notes=first.notes.copy())
    higher.notes["pitch"] += 3
    assert scores.regroup(["a", "b", "c"], [first, second, higher]) == ["a", "b", "a"]


def test_a_score_that_is_none_is_refused(monkeypatch, tmp_path):
    (tmp_path / "bach").mkdir()
    path = tmp_path / "bach/bwv1.mxl"
    path.write_bytes(b"not a score")
    monkeypatch.setattr(corpus, "folder", lambda: tmp_path)
    with pytest.raises(Unreadable, match="cannot read"):
        chorales.read(path, b"")
