"""What pairs are drawn, and that B alone cannot tell them apart."""

import numpy as np
import pandas as pd
import pytest
import toy_windows
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.tasks.continuation.fit import curves, pairs
from pipelines.tasks.continuation.fit.pairs import KINDS, TRUE
from pipelines.tasks.continuation.fit.windows import VOICES, shifted


def drawn(n=8, bars=8, seed=0, balanced=True, **others):
    return pairs.draw(toy_windows.windows(n, bars, seed, **others), balanced, np.random.default_rng(seed))


def of(found, kind):
    return found.b[found.kind == kind]


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 12), st.integers(6, 10), st.integers(0, 2**16))
def test_every_window_is_the_continuation_as_often_as_any_other_kind(n, bars, seed):
    found = drawn(n, bars, seed)
    true = of(found, TRUE)
    assert np.array_equal(true, found.a[found.true] + 1) and not found.windows.last[found.a].any()
    for kind in KINDS:
        assert sorted(of(found, kind)) == sorted(true)
        assert np.array_equal(found.a[found.kind == kind], found.a[found.true])
    group, piece, place = found.windows.group, found.windows.piece, found.windows.place
    other, same = of(found, "other_piece"), of(found, "same_piece")
    assert (group[other] != group[found.a[found.true]]).all()
    assert np.array_equal(place[other], place[true]), (
        "all pieces are of one length here, so that each place has a partner"
    )
    assert np.array_equal(of(found, "other_piece_in_key"), other)
    assert np.array_equal(piece[same], piece[true])
    assert (np.abs(place[same] - place[found.a[found.true]]) > 1).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**16))
def test_no_score_of_b_alone_tells(seed):
    found = drawn(seed=seed)
    score = np.random.default_rng(seed).random(len(found.windows.grids))[found.b]
    for kind in ("other_piece", "same_piece"):
        rows = curves.of_kind(found.kind, kind)
        assert curves.roc_auc(found.true[rows], score[rows]) == pytest.approx(0.5)


def test_windows_that_repeat_the_continuation_are_no_other_windows():
    """Of a piece whose last bars repeat its first, what follows the repeat of A sounds like A's continuation."""
    windows = toy_windows.windows(2, 10)
    for piece in (0, 1):
        rows = np.flatnonzero(windows.piece == piece)
        windows.grids[rows[7:]] = windows.grids[rows[:3]]
    for seed in range(20):
        for balanced in (True, False):
            found = pairs.draw(windows, balanced, np.random.default_rng(seed))
            _, b = found.grids()
            equal = (b[found.kind == "same_piece"] == b[found.true])[..., :VOICES].mean(axis=(1, 2))
            assert (equal < pairs.ALIKE).all()


def test_the_key_that_fits_best_is_found():
    windows = toy_windows.windows(1, 8, seed=4)
    grids = windows.grids
    for shift in range(-5, 7):
        moved = shifted(grids, np.full(len(grids), -shift))
        assert (pairs.best_shift(grids, moved) == shift).all()
    found = drawn()
    _, b = found.grids()
    key, plain = b[found.kind == "other_piece_in_key"], b[found.kind == "other_piece"]
    difference = key[..., :VOICES].astype(int) - plain[..., :VOICES]
    assert (difference == found.shift[found.kind == "other_piece_in_key"][:, None, None]).all()
    assert not found.shift[found.kind != "other_piece_in_key"].any()


def test_silence_stays_and_no_pitch_leaves_the_range():
    grids = np.zeros((1, 2, 8), np.uint8)
    grids[0, 0, 0] = 126
    assert shifted(grids, np.array([1]))[0, :, :VOICES].tolist() == [[127, 0, 0, 0], [0, 0, 0, 0]]
    with pytest.raises(ValueError, match="would leave 1 to 127"):
        shifted(grids, np.array([2]))


def test_unbalanced_negatives_are_drawn_anywhere():
    found = drawn(balanced=False, bars=9)
    place = found.windows.place
    assert (place[found.b[~found.true]] == 0).any() and not (place[found.b[found.true]] == 0).any()
    assert (np.abs(place - place[found.a[0]])[of(found, "same_piece")[:1]] > 1).all()


@pytest.mark.parametrize("balanced", [True, False])
def test_too_little_music(balanced):
    with pytest.raises(ValueError, match="of 3 pieces 3 have too few different windows"):
        drawn(3, 2, balanced=balanced)
    with pytest.raises(ValueError, match="the others are not of two groups"):
        drawn(3, 8, balanced=balanced, groups=["g"] * 3)


def test_a_group_of_most_windows():
    with pytest.raises(ValueError, match="one group has more than half of the windows"):
        drawn(5, 8, groups=["g", "g", "g", "g", "h"])


def test_rare_places_are_exchanged_with_their_neighbours():
    """One piece is longer than all others: its last windows have no partner at their place."""
    short, long = toy_windows.windows(6, 6), toy_windows.windows(1, 9, seed=5)
    windows = type(short)(
        clips=pd.concat([short.clips, long.clips.assign(group="longer")], ignore_index=True),
        grids=np.concatenate([short.grids, long.grids]),
        piece=np.append(short.piece, long.piece + 6),
        place=np.append(short.place, long.place),
        left_out=short.left_out,
    )
    found = pairs.draw(windows, True, np.random.default_rng(0))
    assert sorted(of(found, "other_piece")) == sorted(of(found, TRUE))
    assert (windows.group[of(found, "other_piece")] != windows.group[found.a[found.true]]).all()
