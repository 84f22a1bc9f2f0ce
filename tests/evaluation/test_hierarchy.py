"""The tree of classes against scipy on the means, and a planted family tree."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.cluster.hierarchy import dendrogram as draw
from scipy.spatial.distance import pdist

from pipelines.evaluation.hierarchy import dendrogram

pytestmark = pytest.mark.filterwarnings("error")
FEW = {"n_bootstrap": 100, "n_permutations": 100, "seed": 0}
CENTRES = np.array([[0, 0, 0], [10, 0, 0], [1, 0, 0], [10, 2, 0]], dtype=float)  # (a, c) and (b, d)


def family(n=50, noise=0.5):
    labels = np.repeat(np.arange(4), n)
    return CENTRES[labels] + noise * np.random.default_rng(0).standard_normal((4 * n, 3)), labels


def test_a_planted_family():
    points, labels = family()
    record = dendrogram(points, labels, list("abcd"), **FEW)
    assert {frozenset(record["leaves"][:2]), frozenset(record["leaves"][2:])} == {frozenset({0, 2}), frozenset({1, 3})}
    assert [row[:2] for row in record["linkage"][:2]] == [[0, 2], [1, 3]]
    assert record["support"] == [1.0, 1.0, 1.0] and record["n"] == 200 and record["k"] == 4
    assert record["cophenetic"] > 0.98 > record["cophenetic_chance"]
    assert len(draw(record["linkage"], no_plot=True)["leaves"]) == 4


def test_equals_scipy_on_the_means():
    points, labels = family(noise=6)
    record = dendrogram(points, labels, list("abcd"), **FEW)
    means = np.stack([points[labels == number].mean(axis=0) for number in range(4)])
    tree = linkage(means, "average")
    np.testing.assert_allclose(np.array(record["linkage"])[:, 2], tree[:, 2])
    assert record["cophenetic"] == pytest.approx(cophenet(tree, pdist(means))[0])


def test_noise_has_no_support():
    points, labels = family()
    record = dendrogram(np.random.default_rng(1).standard_normal(points.shape), labels, list("abcd"), **FEW)
    assert min(record["support"][:-1]) < 0.8 and record["support"][-1] == 1.0  # all classes are below the root
    assert abs(record["cophenetic"] - record["cophenetic_chance"]) < 0.2


def test_degenerate_input():
    points, labels = family()
    two = dendrogram(points[:100], labels[:100], ["a", "b"], **FEW)
    assert two["cophenetic"] is two["cophenetic_chance"] is None and len(two["linkage"]) == 1
    same = dendrogram(np.ones((6, 2)), np.arange(6) % 3, list("abc"), **FEW)
    assert same["cophenetic"] is None and same["linkage"][-1][2] == 0
    single = dendrogram(CENTRES, np.arange(4), list("abcd"), **FEW)
    assert single["support"] == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="'c' has no clip"):
        dendrogram(points[:100], labels[:100], list("abc"), **FEW)
    with pytest.raises(ValueError, match="two classes"):
        dendrogram(points, labels * 0, ["a"], **FEW)
    with pytest.raises(ValueError, match="NaN"):
        dendrogram(points * np.nan, labels, list("abcd"), **FEW)
