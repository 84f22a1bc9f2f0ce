"""Neighbours against scikit-learn, never of the same group; agreement against planted classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors

from pipelines.evaluation import neighbours

pytestmark = pytest.mark.filterwarnings("error")


def test_equals_scikit_learn():
    rng = np.random.default_rng(0)
    base, queries = rng.standard_normal((1500, 16)), rng.standard_normal((1200, 16))  # more than a block
    rows, cosines = neighbours.search(queries, base, 7)
    distances, expected = NearestNeighbors(n_neighbors=7, metric="cosine").fit(base).kneighbors(queries)
    np.testing.assert_allclose(cosines, 1 - distances, atol=1e-6)
    assert np.mean(rows == expected) > 0.999


@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 8), st.integers(0, 1000))
def test_never_of_the_same_group_and_best_first(n, n_groups, k, seed):
    rng = np.random.default_rng(seed)
    points, groups = rng.standard_normal((n, 5)), rng.integers(0, n_groups, n)
    rows, cosines = neighbours.nearest(points, k, np.array([f"work {group}" for group in groups]))
    table = cosine_similarity(points)
    for clip in range(n):
        allowed = np.flatnonzero(groups != groups[clip])
        found = rows[clip][rows[clip] >= 0]
        assert len(found) == min(k, len(allowed)) == np.isfinite(cosines[clip]).sum()
        assert set(found) <= set(allowed)
        np.testing.assert_allclose(
            cosines[clip][: len(found)], np.sort(table[clip, allowed])[::-1][: len(found)], atol=1e-6
        )


def test_without_groups_a_clip_is_not_its_own_neighbour():
    points = np.random.default_rng(0).standard_normal((20, 4))
    points[7] = points[3]
    rows, cosines = neighbours.nearest(points, 1)
    assert rows[7, 0] == 3 and rows[3, 0] == 7 and cosines[7, 0] == pytest.approx(1)
    assert (rows[:, 0] != np.arange(20)).all()


def test_agreement():
    few = {"n_bootstrap": 200, "seed": 0}
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    works = np.arange(120) // 4
    apart = 9 * np.eye(3)[labels] + rng.standard_normal((120, 3))
    record = neighbours.agreement(apart, labels, list("abc"), 5, **few, groups=works)
    assert record["precision"] > 0.98 and record["n"] == 120 and record["k"] == 5
    assert record["chance"] == pytest.approx(36 / 116)
    noise = rng.standard_normal((120, 3))
    record = neighbours.agreement(noise, labels, list("abc"), 5, **few, groups=works)
    assert record["ci95"][0] < record["chance"] < record["ci95"][1]
    copied = np.repeat(rng.standard_normal((30, 3)), 4, axis=0)  # near only within a work
    assert neighbours.agreement(copied, labels, list("abc"), 3, **few)["precision"] > 0.95
    assert neighbours.agreement(copied, labels, list("abc"), 3, **few, groups=works)["precision"] < 0.6


def test_degenerate_input():
    rows, cosines = neighbours.nearest(np.zeros((4, 3)), 2)
    assert (cosines == 0).all() and (rows >= 0).all()
    rows, cosines = neighbours.nearest(np.ones((1, 3)), 2)
    assert (rows == -1).all() and np.isnan(cosines).all()
    with pytest.raises(ValueError, match="NaN"):
        neighbours.nearest(np.full((4, 3), np.nan), 1)
    with pytest.raises(ValueError, match="at least 1"):
        neighbours.nearest(np.ones((4, 3)), 0)
    with pytest.raises(ValueError, match="two groups"):
        neighbours.agreement(np.ones((4, 3)), np.zeros(4, int), ["a"], 1, 10, 0, groups=np.zeros(4))
