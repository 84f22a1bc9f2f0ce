"""Notes and bars against music21's own counts, abc2midi inside symusic, and scores written by hand."""

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st
from music21 import abcFormat, bar, converter, note, repeat, stream

from pipelines.symbolic import corpus
from pipelines.symbolic.music21_score import from_score, tune_bars, written_bars
from pipelines.symbolic.score import as_played, playing_order


def piece(style: str, path: str, number: int = -1) -> corpus.Piece:
    return corpus.Piece(style, "work", "title", path, number)


def abc(text: str):
    return as_played(tune_bars(text))


def test_a_chorale_has_the_notes_of_the_hymn():
    """BWV 269, Aus meines Herzens Grunde, G major, 3/4: G | G D' | B. A G | G. A B | A B | D'."""
    music = corpus.read(piece("chorale", "bach/bwv269.mxl"))
    soprano = music.notes[music.notes["voice"] == 0]
    assert soprano["pitch"][:12].tolist() == [67, 67, 74, 71, 69, 67, 67, 69, 71, 69, 71, 74]
    assert soprano["duration"][:12].tolist() == [1, 2, 1, 1.5, 0.5, 1, 1.5, 0.5, 1, 2, 1, 2]
    assert set(music.notes["voice"]) == {0, 1, 2, 3}
    assert music.bars[:2][["numerator", "denominator", "mode"]].tolist() == [(3, 4, 1), (3, 4, 1)]
    assert music.bars["duration"][:2].tolist() == [1, 3]  # a pickup of one beat


@pytest.mark.parametrize("path", ["bach/bwv269.mxl", "bach/bwv66.6.mxl", "palestrina/Agnus_00.krn"])
def test_the_same_notes_as_music21s_own_expansion(path):
    music = corpus.read(piece("chorale", path))
    score = converter.parse(corpus.folder() / path, forceSource=True, storePickle=False)
    score = (score.expandRepeats() if path.endswith("269.mxl") else score).stripTies()
    pitches = sorted(pitch.midi for element in score.flatten().notes for pitch in element.pitches)
    assert sorted(music.notes["pitch"].tolist()) == pitches
    total = sum(float(element.quarterLength) * len(element.pitches) for element in score.flatten().notes)
    assert music.notes["duration"].sum() == pytest.approx(total)


@pytest.mark.parametrize("number", [1, 2, 4, 7, 17])  # repeats with and without an opening sign, chords, pickups
def test_a_tune_is_what_abc2midi_makes_of_it(number):
    path = "airdsAirs/book1.abc"
    music = corpus.read(piece("aird", path, number))
    text = abcFormat.ABCFile.extractReferenceNumber((corpus.folder() / path).read_text(), number)
    score = symusic.Score.from_abc(text)
    played = sorted((n.time / score.ticks_per_quarter, n.pitch) for n in score.tracks[0].notes)
    assert music.notes["pitch"].tolist() == [pitch for _, pitch in played]
    assert np.allclose(music.notes["onset"], [onset for onset, _ in played], atol=0.01)
    assert music.length == pytest.approx(score.end() / score.ticks_per_quarter, abs=0.01)


def test_ties_chords_rests_and_grace_notes():
    music = abc("X:1\nT:t\nM:4/4\nL:1/4\nK:C\nC2 z E-|E [CEG]2 {B}c|")
    notes = music.notes[["onset", "duration", "pitch"]].tolist()
    assert notes == [(0, 2, 60), (3, 2, 64), (5, 2, 60), (5, 2, 64), (5, 2, 67), (7, 1, 72)]
    assert music.length == 8


def test_two_voices_of_one_part_are_one_voice():
    part = stream.Part()
    measure = stream.Measure(number=1)
    for pitches in (("C5", "D5"), ("C4", "E4")):
        voice = stream.Voice()
        voice.append([note.Note(name, quarterLength=2) for name in pitches])
        measure.insert(0, voice)
    part.append(measure)
    music = from_score(stream.Score([part]))
    assert music.notes[["onset", "pitch", "voice"]].tolist() == [(0, 60, 0), (0, 72, 0), (2, 64, 0), (2, 74, 0)]


def test_first_and_second_endings_and_repeats_without_an_opening_sign():
    music = abc("X:1\nT:t\nM:2/4\nL:1/4\nK:C\nCD|1 EE:|2 FF|]GA|1 BB:|2 cc|]")
    assert "".join("C D EF G A B"[pitch - 60] for pitch in music.notes["pitch"] if pitch < 72) == "CDEECDFFGABBGA"
    music = abc("X:1\nT:t\nM:2/4\nL:1/4\nK:C\nCC|DD:|EE|FF:|GG|AA|]")
    assert music.notes["pitch"][::2].tolist() == [60, 62, 60, 62, 64, 65, 64, 65, 67, 69]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=5))
def test_the_order_agrees_with_music21_where_every_sign_has_its_partner(sections):
    part, number = stream.Part(), 0
    for length, repeated in sections:
        for i in range(length):
            number += 1
            measure = stream.Measure(number=number)
            measure.append(note.Note("C4", quarterLength=4))
            if repeated and i == 0:
                measure.leftBarline = bar.Repeat(direction="start")
            if repeated and i == length - 1:
                measure.rightBarline = bar.Repeat(direction="end")
            part.append(measure)
    assert playing_order(written_bars(part)) == repeat.Expander(part).measureMap(returnType="index")


def test_parts_that_disagree_about_the_bars_are_refused():
    parts = []
    for length in (4, 3):
        part = stream.Part()
        for number in range(1, 9):
            measure = stream.Measure(number=number)
            measure.append(note.Note("C4", quarterLength=length))
            part.append(measure)
        parts.append(part)
    with pytest.raises(ValueError, match="8 of 8 bars"):
        from_score(stream.Score(parts))
    with pytest.raises(ValueError, match="no bars"):
        from_score(stream.Score())


def test_a_part_that_rests_too_long_does_not_stretch_the_bar():
    upper, lower = stream.Part(), stream.Part()
    for part, element in ((upper, note.Note("C5", quarterLength=4)), (lower, note.Rest(quarterLength=8))):
        measure = stream.Measure(number=1)
        measure.append(element)
        part.append(measure)
    assert from_score(stream.Score([upper, lower])).length == 4


def test_the_essen_songs_are_nowhere():
    paths = [member.path for style in corpus.STYLES for member in corpus.catalogue(style)]
    assert len(paths) > 5000
    assert not any("essenfolksong" in path.lower() for path in paths)
    for style in corpus.STYLES:
        members = corpus.catalogue(style)
        assert len({(member.path, member.number) for member in members}) == len(members)
