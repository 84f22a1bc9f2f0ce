"""Paired comparisons against exact tests in whole numbers, brute force over signs, and a worked Holm example."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation import paired

pytestmark = pytest.mark.filterwarnings("error")


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=10))
def test_sign_flip_is_the_share_of_all_signs(differences):
    differences = np.array(differences)
    sums = [abs(np.dot(signs, differences)) for signs in product([-1, 1], repeat=len(differences))]
    assert paired.sign_flip(differences) == pytest.approx(np.mean(np.array(sums) >= abs(differences.sum())))


EXACT = {"rel": 1e-11, "abs": 1e-300}  # what `sign_flip` promises; below, floats themselves lose digits


def share(ways, total, least):
    """The share of 2 ** n flips whose sum is `least` away from 0 or more; ways[i]: how many give i positive ones of `total`."""
    return float(Fraction(sum(way for i, way in enumerate(ways) if abs(2 * i - total) >= least), sum(ways)))


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_with_clips_alone_it_is_mcnemars(only_a, only_b):
    # in whole numbers, and not scipy's binomtest: that is right to 1e-14, and so would be no judge of a small p
    n = only_a + only_b
    ways = [1]
    for k in range(1, n + 1):
        ways.append(ways[-1] * (n - k + 1) // k)
    differences = np.repeat([1, -1, 0], [only_a, only_b, 50])
    assert paired.sign_flip(differences) == pytest.approx(share(ways, n, abs(only_a - only_b)), **EXACT)


@pytest.mark.parametrize("losses", [0, 5, 40, 100])
def test_a_small_p_of_groups_is_exact_too(losses):
    # 200 works of 1 to 8 clips, of which `losses` speak for the other
    differences = np.tile(np.arange(1, 9), 25) * np.repeat([-1, 1], [losses, 200 - losses])
    ways = [1]
    for size in np.abs(differences):
        ways = [a + b for a, b in zip(ways + [0] * size, [0] * size + ways, strict=True)]
    expected = share(ways, np.abs(differences).sum(), abs(differences.sum()))
    assert paired.sign_flip(differences) == pytest.approx(expected, **EXACT)


def test_holm_by_hand():
    np.testing.assert_allclose(paired.holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_order_and_bounds(p):
    p = np.array(p)
    corrected = paired.holm(p)
    assert (corrected >= p).all() and (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()
    assert corrected.min() == pytest.approx(min(1, len(p) * p.min()))


def test_a_planted_difference_is_found_and_no_other():
    rng = np.random.default_rng(0)
    base = rng.random(2000) < 0.5
    right = {
        "better": base | (rng.random(2000) < 0.2),
        "plain": base,
        "twin": np.where(rng.random(2000) < 0.1, rng.random(2000) < 0.5, base),
    }
    record = paired.compare(right, n_bootstrap=500, seed=0)
    assert record["n"] == record["n_groups"] == 2000
    assert record["accuracy"]["plain"] == pytest.approx(base.mean())
    pairs = {(pair["a"], pair["b"]): pair for pair in record["pairs"]}
    assert list(pairs) == [("better", "plain"), ("better", "twin"), ("plain", "twin")]
    found, none = pairs["better", "plain"], pairs["plain", "twin"]
    assert found["difference"] == pytest.approx(right["better"].mean() - base.mean())
    assert found["only_a"] - found["only_b"] == round(2000 * found["difference"]) and found["only_b"] == 0
    assert found["p_holm"] < 1e-6 and found["ci95"][0] > 0
    assert none["p_holm"] > 0.05 and none["ci95"][0] < 0 < none["ci95"][1]
    d = right["better"].astype(float) - base
    width = 2 * 1.96 * d.std() / np.sqrt(2000)  # the normal approximation
    assert found["ci95"][1] - found["ci95"][0] == pytest.approx(width, rel=0.15)


def test_p_is_uniform_enough_without_a_difference():
    rng = np.random.default_rng(1)
    p = [
        paired.compare({"a": rng.random(200) < 0.5, "b": rng.random(200) < 0.5}, 1, 0)["pairs"][0]["p"]
        for _ in range(300)
    ]
    assert np.mean(np.array(p) < 0.05) < 0.09


def test_copies_of_a_clip_are_no_evidence_once_grouped():
    rng = np.random.default_rng(0)
    a, b = rng.random(60) < 0.6, rng.random(60) < 0.5
    once = paired.compare({"a": a, "b": b}, 400, 0)["pairs"][0]
    works = np.repeat([f"work {i}" for i in range(60)], 8)
    grouped = paired.compare({"a": a.repeat(8), "b": b.repeat(8)}, 400, 0, groups=works)
    assert grouped["n_groups"] == 60 and grouped["n"] == 480
    assert grouped["pairs"][0]["p"] == pytest.approx(once["p"])
    ungrouped = paired.compare({"a": a.repeat(8), "b": b.repeat(8)}, 400, 0)["pairs"][0]
    assert ungrouped["p"] < once["p"]
    assert np.ptp(ungrouped["ci95"]) < np.ptp(grouped["pairs"][0]["ci95"])


def test_the_same_twice_and_wrong_input():
    right = {"a": np.ones(5, bool), "b": np.ones(5, bool)}
    pair = paired.compare(right, 50, 0)["pairs"][0]
    assert pair["difference"] == 0 and pair["p"] == pair["p_holm"] == 1.0 and pair["ci95"] == [0.0, 0.0]
    with pytest.raises(ValueError, match="two embeddings"):
        paired.compare({"a": np.ones(5)}, 50, 0)
    with pytest.raises(ValueError, match="same clips"):
        paired.compare({"a": np.ones(5), "b": np.ones(4)}, 50, 0)
    with pytest.raises(ValueError, match="groups"):
        paired.compare(right, 50, 0, groups=np.zeros(3))
