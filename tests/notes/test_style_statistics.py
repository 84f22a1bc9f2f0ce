"""Style statistics: closed forms on a few notes, and what must not change them: key, notated speed, order of the rows."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.notes.representations import style_statistics
from pipelines.notes.tables import NOTES, array


def notes_of(rows):
    """(onset, duration, pitch, track)."""
    return array(NOTES, [dict(zip(("onset", "duration", "pitch", "track"), row, strict=True)) for row in sorted(rows)])


def computed(rows):
    return style_statistics.compute(notes_of(rows), 0.0)


CADENCE = [(0, 1, 71, 0), (1, 1, 72, 0), (0, 2, 55, 1), (2, 2, 72, 0), (2, 2, 48, 1)]
"""b c c above g g c: the final is C."""


def test_a_cadence():
    found = computed(CADENCE)
    # quarters: B 1, C 1 + 2 + 2, G 2
    assert found["class_00"] == pytest.approx(5 / 8) and found["class_11"] == pytest.approx(1 / 8)
    assert found["class_07"] == pytest.approx(2 / 8)
    # the melody goes up a semitone and stays, the bass falls a fifth
    assert [found[f"melody_{n}"] for n in (1, 0, -7)] == pytest.approx([1 / 3] * 3)
    # above the bass: a third (b over g), a fourth (c over g), two quarters of an octave
    assert [found[f"bass_{n:02d}"] for n in (4, 5, 0)] == pytest.approx([1 / 4, 1 / 4, 1 / 2])
    assert found["voices_2"] == 1 and found["rests"] == 0 and found["together"] == pytest.approx(2 / 3)
    # three of five notes are halves, which are the most frequent; two are quarters
    assert [found["rhythm_0"], found["rhythm_-1"], found["uneven"]] == pytest.approx([3 / 5, 2 / 5, 0])
    assert found["range"] == pytest.approx((1 + 7) / 2) and found["spread"] == pytest.approx((16 + 17 + 24 + 24) / 4)


def test_a_rest_and_a_triplet():
    found = computed([(0, 1, 60, 0), (2, 1, 60, 0), (3, 1 / 3, 60, 0)])
    assert found["rests"] == pytest.approx(1 / (10 / 3)) and found["uneven"] == pytest.approx(1 / 3)
    assert found["repeated"] == 1


ROWS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 8), st.integers(40, 80), st.integers(0, 3)), min_size=1, max_size=25
)


@given(ROWS, st.integers(-12, 12), st.sampled_from([0.5, 2, 4]))
@settings(max_examples=60, deadline=None)
def test_key_and_notated_speed_change_nothing(rows, shift, speed):
    found = computed([(a / 4, b / 4, pitch, track) for a, b, pitch, track in rows])
    other = computed([(speed * a / 4, speed * b / 4, pitch + shift, track) for a, b, pitch, track in rows])
    assert list(found) == list(other)
    np.testing.assert_allclose(list(found.values()), list(other.values()), atol=1e-9)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_shares_add_up(rows):
    found = computed(rows)
    for kind in ("class_", "rhythm_", "voices_"):
        assert sum(value for name, value in found.items() if name.startswith(kind)) == pytest.approx(1)
    melody = sum(value for name, value in found.items() if name.startswith("melody_"))
    assert melody == pytest.approx(1) or melody == 0


@given(ROWS)
@settings(max_examples=40, deadline=None)
def test_what_sounds_is_what_the_notes_say(rows):
    """Counts of pitches at times, against each note asked by itself."""
    times, counts = style_statistics.sounding(notes_of(rows))
    for row, (start, end) in enumerate(pairwise(times)):
        at = (start + end) / 2
        there = [pitch for onset, duration, pitch, _ in rows if onset <= at < onset + duration]
        assert sorted(np.repeat(np.arange(128), counts[row])) == sorted(there)
