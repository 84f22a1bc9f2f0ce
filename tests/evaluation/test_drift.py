"""Drift: closed forms, the definition written out, and what must not matter."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evaluation import drift

OPTIONS = {"bins": 10, "max_clips": 200, "n_permutations": 100, "seed": 1}


def test_psi_of_two_bins_by_hand():
    reference = np.repeat([0.0, 1.0], [50, 50])
    present = np.repeat([0.0, 1.0], [80, 20])
    p, q = np.array([50.5, 50.5]) / 101, np.array([80.5, 20.5]) / 101
    assert drift.psi(reference, present, 2) == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert drift.psi(reference, reference, 2) == 0


def test_psi_of_a_normal_shift_is_the_symmetric_divergence():
    """Of N(0, 1) and N(d, 1) it tends to d^2, KL both ways, as bins grow finer."""
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal(200_000), generator.standard_normal(200_000) + 0.5
    assert drift.psi(a, b, 200) == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize(("n", "m"), [(30, 30), (100, 40), (500, 500)])
def test_without_drift_one_feature_in_twenty_has_a_small_p_however_few_clips_there_are(n, m):
    generator, values = np.random.default_rng(0), []
    for _ in range(600):
        a, b = generator.standard_normal(n), generator.standard_normal(m)
        values.append((drift.psi(a, b, 10), drift.psi_p(drift.psi(a, b, 10), a, b, 10)))
    high, small = np.mean(np.array(values) > [drift.SHIFTED, 1], axis=0)[0], np.mean(np.array(values)[:, 1] < 0.05)
    assert small <= 0.08 and (high > 0.8) == (n == 30), "the usual reading flags most of 30 against 30"
    columns = pd.DataFrame(generator.standard_normal((n, 50))), pd.DataFrame(generator.standard_normal((m, 50)))
    found = drift.compare(*columns, **OPTIONS)["psi"]
    assert found["n_shifted"] == 0 and found["mean"] == pytest.approx(found["expected"], rel=0.15)


@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
@settings(max_examples=30, deadline=None)
def test_psi_is_never_negative_and_knows_no_units(seed, bins):
    generator = np.random.default_rng(seed)
    a, b = generator.standard_normal(40), generator.standard_normal(30) * 2
    found = drift.psi(a, b, bins)
    assert found >= 0
    assert drift.psi(3 * a + 7, 3 * b + 7, bins) == pytest.approx(found)


def test_psi_of_a_constant_feature():
    assert drift.psi(np.ones(20), np.ones(30), 10) == pytest.approx(0, abs=0.01)
    assert drift.psi(np.ones(20), np.zeros(20), 10) > 1
    assert drift.psi(np.ones(20), np.full(20, 2.0), 10) > 1


def test_mmd_is_its_definition():
    generator = np.random.default_rng(3)
    a, b = generator.standard_normal((7, 2)), generator.standard_normal((5, 2)) + 1
    both = np.concatenate([a, b])
    distances = [((x - y) ** 2).sum() for i, x in enumerate(both) for y in both[i + 1 :]]
    width = np.median(distances)

    def k(x, y):
        return np.exp(-((x - y) ** 2).sum() / width)

    expected = (
        sum(k(a[i], a[j]) for i in range(7) for j in range(7) if i != j) / 42
        + sum(k(b[i], b[j]) for i in range(5) for j in range(5) if i != j) / 20
        - 2 * sum(k(x, y) for x in a for y in b) / 35
    )
    assert drift.mmd(a, b, 10, 0)["mmd2"] == pytest.approx(expected)


def test_mmd_sees_a_shift_and_not_a_redraw():
    generator = np.random.default_rng(4)
    a, same, moved = (generator.standard_normal((80, 5)) + shift for shift in (0, 0, 1))
    assert drift.mmd(a, moved, 199, 0)["p"] == 1 / 200
    p = [drift.mmd(a[rows], same[rows], 99, seed)["p"] for seed, rows in enumerate(np.split(np.arange(80), 8))]
    assert min(p) > 0.01 and max(p) > 0.3
    assert drift.mmd(a, a, 50, 0)["p"] == 1


def test_compare_names_what_moved():
    generator = np.random.default_rng(5)
    a = pd.DataFrame(generator.standard_normal((300, 3)), columns=["x", "y", "z"])
    b = pd.DataFrame(generator.standard_normal((260, 3)) + np.array([0, 2, 0]), columns=["x", "y", "z"]).assign(new=1.0)
    found = drift.compare(a, b, **OPTIONS)
    assert found["largest"][0][0] == "y" and found["psi"]["n_shifted"] == 1 and found["ks"]["n_different"] == 1
    assert found["not_shared"] == ["new"] and found["n_features"] == 3
    assert found["mmd"]["n"] == [200, 200] and found["mmd"]["p"] < 0.02
    assert found == drift.compare(a, b, **OPTIONS)
    same = drift.compare(a, a, **OPTIONS)
    assert same["psi"]["max"] == 0 and same["ks"]["n_different"] == 0 and same["mmd"]["p"] == 1


@pytest.mark.parametrize(
    ("present", "word"),
    [
        (pd.DataFrame({"other": [1.0, 2.0]}), "no feature in common"),
        (pd.DataFrame({"x": [1.0, np.nan]}), "NaN"),
        (pd.DataFrame({"x": [1.0]}), "two clips"),
    ],
)
def test_compare_says_what_it_cannot_compare(present, word):
    with pytest.raises(ValueError, match=word):
        drift.compare(pd.DataFrame({"x": [1.0, 2.0, 3.0]}), present, **OPTIONS)
