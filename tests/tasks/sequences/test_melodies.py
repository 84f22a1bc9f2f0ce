"""Melodies that two sides share: found in another key, and in the highest voice alone."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.tasks.sequences.score import melodies

MELODY = st.lists(st.integers(60, 80), min_size=2, max_size=24)


def piece(soprano, bass=48, steps=4):
    """Four voices, `steps` a note; the lower ones hold."""
    top = np.repeat(soprano, steps)
    return np.column_stack([top, *[np.full(len(top), bass + 5 * n) for n in (2, 1, 0)]]).astype(np.uint8)


def events(soprano):
    """(interval, steps) of a melody, repeated notes held, in plain Python."""
    runs = []
    for pitch in soprano:
        if runs and runs[-1][0] == pitch:
            runs[-1][1] += 4
        else:
            runs.append([pitch, 4])
    return [(after - before, length) for (before, _), (after, length) in pairwise(runs)]


@given(MELODY, MELODY, st.integers(-12, 12))
def test_the_longest_run_is_that_of_a_search(one, other, key):
    longest, share = melodies.shared([piece(one)], [piece([pitch + key for pitch in other], bass=40)])
    a, b = events(one), events(other)
    runs = [
        n
        for n in range(len(a) + 1)
        for i in range(len(a) - n + 1)
        for j in range(len(b) - n + 1)
        if a[i : i + n] == b[j : j + n]
    ]
    assert longest[0] == max(runs) and share[0] == max(runs) / max(len(a), 1)


def test_a_hymn_on_both_sides_fails_the_check():
    hymn, other = [60, 62, 64, 65, 67, 65, 64, 62, 60], [70, 67, 72, 60, 71, 66, 74, 61, 70]
    passed, told = melodies.check([piece(hymn), piece(other)], [piece([pitch + 3 for pitch in hymn], bass=36)])
    assert not passed and told.startswith("1 of 2 test melodies share more than 80%") and "at most 8" in told
    assert melodies.check([piece(other)], [piece(hymn)])[0]


def test_lower_voices_do_not_count():
    """The bass is the same, the melodies share nothing."""
    longest, _ = melodies.shared([piece([60, 61, 63, 66])], [piece([60, 65, 60, 65])])
    assert longest.tolist() == [0]
