"""Where a clip starts, how fast it goes, and what sounds in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.symbolic import excerpt
from pipelines.symbolic.score import BAR, NOTE, Music


def even(numerator: int, denominator: int, note: float, n_bars: int = 40) -> Music:
    """One voice in even notes of `note` quarters, rising and falling through an octave."""
    length = 4 * numerator / denominator
    bars = [(i * length, length, i + 1, numerator, denominator, 0) for i in range(n_bars)]
    n = int(n_bars * length / note)
    notes = [(i * note, note, 60 + abs(12 - i % 24), 0) for i in range(n)]
    return Music(np.array(notes, dtype=NOTE), np.array(bars, dtype=BAR))


@pytest.mark.parametrize(
    ("numerator", "denominator", "note", "beat"),
    [
        (4, 2, 2, 2),  # Palestrina: the minim
        (2, 2, 0.5, 2),  # a reel in cut time
        (4, 4, 1, 1),
        (3, 4, 0.5, 1),
        (6, 8, 0.5, 1.5),  # a jig
        (9, 8, 0.5, 1.5),
        (3, 8, 0.5, 1.5),
        (2, 4, 0.25, 1),  # a hornpipe in sixteenths
        (2, 4, 0.125, 0.5),  # an adagio in thirty-seconds is beaten in eighths
        (6, 8, 0.125, 0.5),
        (4, 4, 4, 4),  # long notes: the breve
    ],
)
def test_the_beat_is_what_a_musician_would_beat(numerator, denominator, note, beat):
    assert set(excerpt.beats(even(numerator, denominator, note))) == {beat}


@settings(max_examples=50, deadline=None)
@given(
    st.floats(56, 143.9), st.integers(0, 39), st.sampled_from([(4, 4, 0.5), (6, 8, 0.5), (4, 2, 2.0)]), st.booleans()
)
def test_notes_lie_within_the_clip_and_tell_the_tempo(bpm, bar, kind, again):
    music = even(*kind)
    cut = excerpt.cut(music, bar, bpm, 30.0, again)
    notes = cut.notes
    assert (notes["onset_s"] >= 0).all()
    assert (notes["duration_s"] >= excerpt.MIN_NOTE_S - 1e-9).all()
    assert (notes["onset_s"] + notes["duration_s"] <= 30 + 1e-9).all()
    if len(notes) > 3:
        assert np.allclose(np.diff(notes["onset_s"])[1:-1], kind[2] * 60 / (bpm * cut.beat), atol=1e-6)
    if again:
        assert notes["duration_s"].sum() == pytest.approx(30, abs=0.1)


def test_a_note_held_over_the_bar_line_sounds_from_the_start():
    music = even(4, 4, 3.0)  # dotted halves: the second bar begins within one
    first = excerpt.cut(music, 1, 60.0, 30.0).notes[0]
    assert (first["onset_s"], first["pitch"]) == (0, 71)
    assert first["duration_s"] == pytest.approx(2 * 60 / (60 * excerpt.beats(music)[1]))


def test_a_tune_that_is_over_is_played_again_from_the_top():
    music = even(4, 4, 1.0, n_bars=4)
    notes = excerpt.cut(music, 0, 64.0, 30.0, again=True).notes
    assert len(notes) == 32  # 16 notes at 64 a minute take 15 s
    assert notes["pitch"][:16].tolist() == notes["pitch"][16:].tolist()


def test_excerpts_side_by_side_do_not_overlap_and_fit():
    music = even(4, 4, 0.5, n_bars=100)
    n_parts = excerpt.capacity(music, 30.0)
    assert n_parts == 5  # 400 quarters; 72 a clip at the fastest, from bar lines
    ends = [0.0]
    for part in range(n_parts):
        bar = excerpt.choose_start(music, 143.0, 30.0, part, n_parts, np.random.default_rng(part))
        start = music.bars["onset"][bar]
        assert start >= ends[-1] - 1e-6
        ends.append(start + 30 * 143 / 60)
    assert ends[-1] <= music.length
    with pytest.raises(ValueError, match="shorter"):
        excerpt.choose_start(even(4, 4, 0.5, n_bars=5), 143.0, 30.0, 0, 1, np.random.default_rng(0))
