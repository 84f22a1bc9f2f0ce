"""Sampling: the distribution that is asked for, given cells, seeds; and statistics of what was generated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from toy_corpus import pieces

from pipelines.tasks.sequences.fit import sampling
from pipelines.tasks.sequences.models import kneser_ney, unigram
from pipelines.tasks.sequences.score import statistics

FREE = np.full((6, 4), sampling.FREE)


def beginning(module, **options):
    arrays, _ = module.fit(pieces(6), [], {"transpose": 0, "context": "all", **options}, 0)
    model = module.build(arrays, {})
    return lambda n, rng: module.begin(model, n, rng)


@given(st.lists(st.floats(-9, 0), min_size=2, max_size=8), st.floats(0.1, 3), st.integers(0, 9), st.floats(0, 1))
def test_filtered_probabilities(logs, temperature, top_k, top_p):
    logs = np.array([logs])
    found = sampling.filtered(logs, temperature, top_k, top_p)[0]
    plain = np.exp(logs[0] / temperature)
    plain /= plain.sum()
    kept = found > 0
    assert found.sum() == pytest.approx(1) and plain[kept].max() == plain.max()
    assert not top_k or kept.sum() <= max(top_k, 1)
    np.testing.assert_allclose(found[kept], plain[kept] / plain[kept].sum(), rtol=1e-9)
    if not top_k:  # the fewest that have probability p together
        assert plain[kept].sum() >= top_p - 1e-9
        assert kept.sum() == 1 or plain[kept].sum() - plain[kept].min() < top_p + 1e-9
    assert plain[kept].min() >= plain[~kept].max(initial=0)


def test_samples_have_the_models_probabilities():
    begin = beginning(unigram)
    made = sampling.sample(begin, FREE, 800, 7)
    shares = np.exp(begin(1, None)()[0])
    likely = shares > 0.01
    counts = np.bincount(made[:, :, 0].ravel(), minlength=128)[likely]
    assert chisquare(counts, shares[likely] / shares[likely].sum() * counts.sum()).pvalue > 0.001


def test_given_cells_stay_and_condition_what_follows():
    train = np.tile(np.array([[72, 65, 57, 48]] * 4 + [[74, 67, 59, 50]] * 4, np.uint8), (6, 1))
    arrays, _ = kneser_ney.fit([train], [], {"n": 9, "transpose": 0, "context": "all"}, 0)
    model = kneser_ney.build(arrays, {})
    given = np.full((8, 4), sampling.FREE)
    given[:4] = train[:4]
    given[:, 2] = train[:8, 2]
    made = sampling.sample(lambda n, rng: kneser_ney.begin(model, n, rng), given, 5, 1, top_k=1)
    assert made.shape == (5, 8, 4) and (made[:, :4] == train[:4]).all() and (made[:, :, 2] == given[:, 2]).all()
    assert (made[:, 4, 3] == train[4, 3]).all(), "the third voice changes, and the voice below with it"


def test_seeds():
    begin = beginning(kneser_ney, n=5)
    first, again, other = (sampling.sample(begin, FREE, 4, seed, 0.9, 0, 0.95) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any() and len({piece.tobytes() for piece in first}) > 1


def test_statistics():
    one = np.array([[60, 55, 52, 48]] * 8 + [[60, 60, 52, 0]] * 8, np.uint8)
    found = statistics.of([one, one, one[::-1].copy()])
    assert found["polyphony"] == pytest.approx(3.0)  # four pitches, then two
    assert found["onsets_per_bar"] == pytest.approx((5 + 5 + 5) / 3)
    shares = np.array([8 + 8 + 8 + 8, 8, 8 + 8]) / 56  # C, G, E
    assert found["pitch_class_entropy"] == pytest.approx(-np.sum(shares * np.log2(shares)))
    assert found["distinct"] == pytest.approx(2 / 3)
    checks = statistics.outside(found, statistics.CHORALES)
    assert [name for name, (passed, _) in checks.items() if passed] == [] and statistics.bounds("none", [], 9) == {}
    noise = np.random.default_rng(0).integers(40, 80, (64, 4)).astype(np.uint8)
    assert (
        statistics.of([noise])["onsets_per_bar"] > 50
        and not statistics.outside(statistics.of([noise]), statistics.CHORALES)["onsets_per_bar"][0]
    )
    lines = [one[:, :1], noise[:16, :1], one[8:, :1]]
    held_out = statistics.bounds("held_out", lines, 16)
    silent = np.zeros((16, 1), np.uint8)
    assert statistics.bounds("held_out", [*lines, silent], 16) == held_out, "a silent piece bounds nothing"
    assert held_out["polyphony"] == (1.0, 1.0) and held_out["distinct"] == statistics.DISTINCT
    assert held_out["onsets_per_bar"] == pytest.approx(tuple(np.percentile([1, 16, 2], [5, 95])), abs=1.5)
    assert all(passed for passed, _ in statistics.outside(statistics.of(lines), held_out).values())
    assert not statistics.outside(statistics.of([noise]), held_out)["polyphony"][0]
    silence = statistics.of([np.zeros((16, 4), np.uint8)])
    assert silence == {"polyphony": 0, "onsets_per_bar": 0, "pitch_class_entropy": 0, "distinct": 1}
