"""Statistics of pieces against muspy's figures, overlap and divergence against closed forms, and the ceiling and the floor."""

import json

import numpy as np
import pytest
from scipy.stats import norm
from toy_corpus import pieces

from pipelines.tasks.sequences.fit import measures
from pipelines.tasks.sequences.score import comparison, overlap, overlap_bootstrap

NAMES = (
    "pitch_range", "n_pitches_used", "n_pitch_classes_used", "polyphony", "polyphony_rate", "pitch_entropy",
    "pitch_class_entropy", "scale_consistency", "empty_beat_rate",
)  # fmt: skip
FUR_ELISE = np.zeros((18, 4), np.uint8)
FUR_ELISE[:, 0] = np.repeat([76, 75, 76, 75, 76, 71, 74, 72, 69], 2)
GAPS = np.repeat(
    [
        [67, 70, 0, 70], [64, 66, 67, 60], [0, 0, 0, 0], [60, 64, 60, 48], [0, 70, 69, 70], [0, 62, 67, 64], [67, 67, 67, 0],
        [48, 66, 48, 60], [62, 70, 0, 0],
    ],
    [3, 5, 12, 4, 6, 6, 6, 2, 1],
    axis=0,
).astype(np.uint8)  # fmt: skip
# muspy 0.5.0 at resolution 4; the first piece is the one of its own tests
MUSPY = {
    "its own test": (FUR_ELISE, (7, 6, 6, 1.0, 0.0, 2.419382, 2.419382, 7 / 9, 0.0)),
    "silence, unisons": (GAPS, (22, 8, 7, 2.484848, 0.377778, 2.854694, 2.57883, 0.92, 0.166667)),
    "four voices": (pieces(1, 3)[0], (24, 11, 8, 3.9375, 1.0, 3.356492, 2.833321, 0.909091, 0.0)),
}


@pytest.mark.parametrize("name", MUSPY)
def test_statistics_are_those_of_muspy(name):
    piece, wanted = MUSPY[name]
    silent_end = np.concatenate([piece, np.zeros((9, 4), np.uint8)])
    found = measures.of_each([piece, silent_end])
    for key, value in zip(NAMES, wanted, strict=True):
        assert found[key] == pytest.approx([value, value], abs=1e-6), key


def test_histograms_and_a_piece_without_notes():
    found = measures.of_each([FUR_ELISE, np.zeros((16, 4), np.uint8)])
    assert found["pitch_class_histogram"][0] == pytest.approx(
        np.bincount([4, 3, 4, 3, 4, 11, 2, 0, 9], minlength=12) / 9
    )
    assert found["duration_histogram"][0].tolist() == [0.0, 1.0] + [0.0] * 14
    assert found["pitch_class_transitions"][0].reshape(12, 12)[4, 3] == 2 / 8
    assert found["mean_interval"][0] == pytest.approx((1 + 1 + 1 + 1 + 5 + 3 + 2 + 3) / 8)
    assert found["n_pitches_used"][1] == 0 and np.isnan(found["pitch_entropy"][1])
    assert np.isnan(found["pitch_class_histogram"][1]).all()


@pytest.mark.parametrize("apart", [0.0, 1.0, 2.0])
def test_normal_samples_have_the_overlap_of_normal_densities(apart):
    """2 Phi(-d/2) and d**2 / 2 for two normal densities a distance d apart; kernels widen both a little."""
    quantiles = norm.ppf((np.arange(2000) + 0.5) / 2000)
    area, divergence = overlap.of_samples(quantiles, quantiles + apart)
    assert area == pytest.approx(2 * norm.cdf(-apart / 2), abs=0.02)
    assert divergence == pytest.approx(apart**2 / 2, rel=0.1, abs=1e-9)


def test_samples_that_do_not_meet_and_samples_without_a_density():
    sample = np.random.default_rng(1).normal(size=500)
    area, divergence = overlap.of_samples(sample, sample + 1000)
    assert area == 0.0 and 100 < divergence < np.inf
    assert overlap.of_samples(np.ones(9), np.ones(5)) == (1.0, 0.0)
    assert overlap.of_samples(np.ones(9), sample) == (None, None)
    few = overlap.compare(np.array([1.0, np.nan, 2.0]), sample)
    assert few == {"overlap": None, "kl": None}


def test_both_are_taken_on_one_grid():
    """The figure does not change if one sample reaches far out, as it does on grids of each one's own."""
    sample = np.random.default_rng(2).normal(size=(2, 1000))
    moved, _ = overlap.of_samples(*(3.0 * sample + 7.0))
    assert overlap.of_samples(*sample)[0] == pytest.approx(moved, abs=1e-6)
    assert overlap.of_samples(*sample)[0] == pytest.approx(overlap.of_samples(*sample[::-1])[0], abs=1e-9)


def test_people_are_the_ceiling_and_chance_the_floor():
    training, people, more = pieces(30, 1), pieces(20, 2), pieces(24, 3)
    more = [np.resize(piece, (64, 4)) for piece in more]
    groups = [str(number // 2) for number in range(20)]
    found = comparison.table(more, people, groups, training, 100, 1)
    json.dumps(found, allow_nan=False)
    mean = found["mean_overlap"]
    assert mean["training"] > mean["random"] + 0.1 and mean["generated"] > mean["random"] and mean["n"] > 5
    assert found["means"]["mean_duration"]["random"] < found["means"]["mean_duration"]["people"]
    assert set(found["means"]) == {
        key for key in found["overlaps"] if "histogram" not in key and "transitions" not in key
    }
    assert found == comparison.table(more, people, groups, training, 100, 1)
    for name in ("generated", "training", "random"):
        low, high = mean["ci95"][name]
        assert 0 <= low < mean[name] < high <= 1 and high - low < 0.5
        each = [one[name] for one in found["overlaps"].values()]
        assert all((one["ci95"] is None) == (one["overlap"] is None) for one in each)
    few = comparison.table(more, people, ["one"] * 20, training, 10, 1)
    assert few["mean_overlap"]["ci95"] == {"generated": None, "training": None, "random": None}


@pytest.mark.parametrize("values", [1, 3])
def test_a_resample_that_has_every_piece_once_has_the_overlap_itself(values):
    rng = np.random.default_rng(values)
    a, b = rng.normal(size=(30, values)), rng.normal(0.5, 1.2, size=(20, values))
    a[3] = np.nan
    found = overlap_bootstrap.overlaps(a, b, np.ones((2, 30), int), np.ones((2, 20), int))
    assert found == pytest.approx(overlap.compare(a, b)["overlap"], abs=1e-9)
    # a piece that is drawn twice is as near to another as once, and not near to itself
    twice = overlap_bootstrap.overlaps(a, b, np.full((1, 30), 2), np.full((1, 20), 3))
    assert twice == pytest.approx(found[:1], abs=1e-9)


def test_draws_are_of_whole_groups():
    found = overlap_bootstrap.draws(["a", "b", "a", "c", "d"], 5, 400, 1)
    assert found.shape == (400, 5) and (found[:, 0] == found[:, 2]).all()
    assert (np.delete(found, 2, axis=1).sum(axis=1) == 4).all(), "as many groups as there are"
    assert found[:, 1].mean() == pytest.approx(1, abs=0.15)
