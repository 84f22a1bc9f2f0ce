"""Each guard fires where what it looks for is there, and not where it is not."""

from dataclasses import replace

import numpy as np
import pytest
import toy_windows

from pipelines.tasks.continuation import score
from pipelines.tasks.continuation.fit import pairs, windows
from pipelines.tasks.continuation.fit.pairs import KINDS
from pipelines.tasks.continuation.fit.windows import VOICES
from pipelines.tasks.continuation.models import voice_leading
from pipelines.tasks.continuation.score import guards


@pytest.fixture
def data():
    return pairs.draw(toy_windows.windows(12), True, np.random.default_rng(0))


def with_others(data, b):
    """The pairs, B of all other kinds being exchanged for the windows `b`."""
    return replace(data, b=np.where(data.true, data.b, b))


def first_of_piece(data):
    return data.a - data.windows.place[data.a]


def test_balance(data):
    assert guards.balanced(data) == (True, f"{data.true.sum()} windows")
    passed, said = guards.balanced(with_others(data, first_of_piece(data)))
    assert not passed and all(kind in said for kind in KINDS)


def test_first_windows_that_are_never_the_continuation_are_known_without_a(data):
    """Pieces begin with a voice alone: a model that looks for it knows all of them, with the right A or with any."""
    data.windows.grids[data.windows.place == 0, :, 1:VOICES] = 0

    def sounds(a, b):
        return (b[..., 1] > 0).mean(axis=1)

    passed, said = guards.b_alone(with_others(data, first_of_piece(data)), sounds, 1)
    assert not passed and "1.000 against other_piece" in said
    passed, said = guards.b_alone(data, sounds, 1)
    assert passed and "0.500 against other_piece," in said, "balanced: none is a first window"
    assert guards.b_alone(data, voice_leading.score, 1)[0]


def test_last_windows(data):
    last = np.flatnonzero(data.windows.last)[data.windows.piece[data.a]]
    assert guards.places(data, data)[0]
    passed, said = guards.places(with_others(data, last), with_others(data, last))
    assert not passed and all(kind in said for kind in KINDS)


def test_a_key_that_fits_better_than_the_own(data):
    """Pieces whose windows are each in another key; and pieces in which every window has the same pitch classes."""
    rng = np.random.default_rng(3)
    wandering, still = data.windows.grids.copy(), data.windows.grids.copy()
    by = rng.integers(-6, 7, len(wandering))
    wandering[..., :VOICES] = wandering[..., :VOICES] + by[:, None, None]
    still[..., :VOICES] = [72, 67, 64, 48]
    key = data.kind == KINDS[1]
    shift = np.where(key, pairs.best_shift(wandering[data.a], wandering[data.b]), 0)
    passed, said = guards.keys(replace(data, windows=replace(data.windows, grids=wandering), shift=shift))
    assert not passed and "against other_piece_in_key" in said
    none = np.zeros_like(shift)
    assert guards.keys(replace(data, windows=replace(data.windows, grids=still), shift=none))[0]


def test_groups(data):
    clips = data.windows.clips.assign(sha256=data.windows.clips["clip_id"])
    assert guards.groups(replace(data.windows, clips=clips))[0] is None, "no two pieces share one"
    clips = clips.assign(group=[number // 2 for number in range(12)], split=["train", "test"] * 6)
    assert guards.groups(replace(data.windows, clips=clips)) == (False, "6 of 6 groups have windows on several sides")
    assert guards.groups(replace(data.windows, clips=clips.assign(split="test")))[0]


def test_a_model_that_knows_nothing(in_tmp):
    toy_windows.write()
    run = toy_windows.run("voice_leading")
    checks = guards.all_of(run, windows.read(run), lambda a, b: np.zeros(len(a)), score.baseline(run))
    assert checks["better than chance against every kind"][0] is False
    assert (
        checks["B alone does not tell"][0] and checks["each window is the continuation as often as any other kind"][0]
    )
