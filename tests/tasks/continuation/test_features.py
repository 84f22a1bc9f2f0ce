"""Features of pairs, beside closed forms and numpy's own correlation."""

import numpy as np
import pytest
import toy_windows
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.tasks.continuation.fit import features, pairs
from pipelines.tasks.continuation.fit.windows import VOICES, shifted
from pipelines.tasks.continuation.models import voice_leading

NAMES = features.names()


def column(values, name):
    return values[:, NAMES.index(name)]


@settings(max_examples=15, deadline=None)
@given(st.integers(-6, 6), st.integers(0, 2**16))
def test_a_pair_in_another_key_has_the_same_features(shift, seed):
    grids = toy_windows.windows(2, 6, seed).grids
    grids[0, :, 2] = grids[3, 4:9, 1] = 0
    a, b = grids[:-1], grids[1:]
    by = np.full(len(a), shift)
    assert features.of_pairs(a, b) == pytest.approx(features.of_pairs(shifted(a, by), shifted(b, by)))


def test_values_are_finite_and_named():
    grids = toy_windows.windows().grids
    silent = np.zeros_like(grids[:1])
    found = features.of_pairs(np.concatenate([grids, silent]), np.concatenate([silent, grids]))
    assert found.shape == (len(grids) + 1, len(NAMES)) == (len(grids) + 1, len(set(NAMES))) and np.isfinite(found).all()
    assert features.of_window(grids).shape[1] == sum(name.startswith("product_") for name in NAMES)


def test_the_seam():
    a, b = (np.zeros((1, 16, 8), np.uint8) for _ in range(2))
    a[0, :, :VOICES], b[0, :, :VOICES] = [72, 67, 64, 48], [74, 67, 62, 43]
    a[0, [0, 12], VOICES] = 1
    b[0, [0, 6], VOICES] = b[0, 0, VOICES + 2 :] = 1
    found = features.of_pairs(a, b)
    assert [column(found, f"leap_{voice}")[0] for voice in range(4)] == [2, 0, -2, -5]
    assert [column(found, f"size_{voice}")[0] for voice in range(4)] == [2, 0, 2, 5]
    assert [column(found, f"held_{voice}")[0] for voice in range(4)] == [0, 1, 0, 0]
    assert [interval for interval in range(12) if column(found, f"bass_{interval}")[0]] == [7], (
        "down a fourth, up a fifth"
    )
    assert column(found, "common")[0] == 1, "G, of C E G and D G"
    assert column(found, "end_0")[0] == 3 / 4 and column(found, "begin_0")[0] == 6 / 4
    assert column(found, "end_1")[0] == column(found, "begin_1")[0] == 4, "a note as long as the window"
    assert voice_leading.score(a, b) == [-9]
    rests = a.copy()
    rests[0, -4:, :VOICES] = 0
    assert voice_leading.score(rests, b) == [-9], "from the last notes, not from silence"
    assert [column(features.of_pairs(rests, b), f"held_{voice}")[0] for voice in range(4)] == [0] * 4


def test_windows_in_numbers():
    """A bar of two repeated quarters and a half note a tone higher in the top voice, above one held note."""
    grid = np.zeros((1, 16, 8), np.uint8)
    grid[0, :8, 0], grid[0, 8:, 0], grid[0, :, 3] = 72, 74, 60
    grid[0, [0, 4, 8], 4] = grid[0, 0, 7] = 1
    names = [name.removeprefix("product_") for name in NAMES if name.startswith("product_")]
    found = dict(zip(names, features.of_window(grid)[0], strict=True))
    assert found["notes_0"] == 3 / 16 and found["notes_3"] == 1 / 16 and found["phase_0"] == 1
    assert found["range_0"] == 2 / 12 and found["range_3"] == found["range_1"] == 0
    assert found["melodic_0"] == found["melodic_2"] == 0.5, "one repeated note, one step of two semitones"
    assert found["above_bass_0"] == found["above_bass_2"] == 0.5 and found["silence"] == 0.5


def test_keys_correlate_as_numpy_says():
    grids = toy_windows.windows(2).grids
    a, b = grids[:5], grids[5:10]
    found, x, y = features.of_pairs(a, b), pairs.pitch_classes(a), pairs.pitch_classes(b)
    for row in range(5):
        each = [np.corrcoef(x[row], np.roll(y[row], shift))[0, 1] for shift in range(12)]
        assert [column(found, f"key_{shift}")[row] for shift in range(12)] == pytest.approx(each)
        assert column(found, "key_gain")[row] == pytest.approx(max(each) - each[0])


def test_many_pairs_are_those_of_few(monkeypatch):
    grids = toy_windows.windows().grids
    whole = features.of_pairs(grids[:-1], grids[1:])
    monkeypatch.setattr(features, "BATCH", 7)
    assert np.array_equal(features.of_pairs(grids[:-1], grids[1:]), whole)
