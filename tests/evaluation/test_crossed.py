"""Clusters named by one half and scored on the other, and whether distances say anything: against closed forms."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA

from pipelines.evaluation import clustering
from pipelines.evaluation.contrast import FLAT, contrast
from pipelines.evaluation.crossed import crossed_accuracy
from pipelines.metrics import scaling
from pipelines.models.baselines import pooled_pca


def test_perfect_clusters_are_perfect_whatever_they_are_called():
    labels = np.tile([0, 1, 2], 20)
    found = crossed_accuracy(labels, (labels + 1) % 3, 3, None, 50, 20, 0)
    assert found["chance"] == pytest.approx(1 / 3, abs=0.06)
    assert found | {"chance": 0} == {"accuracy": 1.0, "ci95": [1.0, 1.0], "chance": 0, "n_groups": 60}


def test_clusters_that_know_nothing_are_at_one_in_k_where_the_matched_accuracy_is_above():
    generator = np.random.default_rng(0)
    crossed, matched = [], []
    for seed in range(40):
        labels, clusters = generator.integers(0, 8, (2, 120))
        crossed.append(crossed_accuracy(labels, clusters, 8, None, 2, 1, seed)["accuracy"])
        matched.append((clustering.match(labels, clusters, 8)[clusters] == labels).mean())
    error = np.std(crossed) / np.sqrt(len(crossed))
    assert abs(np.mean(crossed) - 1 / 8) < 4 * error and np.mean(matched) > 0.2


def test_copies_do_not_name_the_clusters_that_they_are_scored_in():
    """Every sound twice: as clips of their own the copies give the names away, as groups they do not."""
    labels, clusters = np.random.default_rng(1).integers(0, 8, (2, 60))
    labels, clusters, groups = (np.repeat(part, 2) for part in (labels, clusters, np.arange(60)))
    apart = crossed_accuracy(labels, clusters, 8, None, 20, 5, 0)
    together = crossed_accuracy(labels, clusters, 8, groups, 20, 5, 0)
    assert together["n_groups"] == 60 and together["accuracy"] < apart["accuracy"]
    width = [high - low for low, high in (apart["ci95"], together["ci95"])]
    assert width[0] < width[1]


def test_fewer_than_four_groups_cannot_be_halved():
    labels = np.array([0, 1, 0, 1, 0, 1])
    assert crossed_accuracy(labels, labels, 2, np.array([0, 0, 1, 1, 2, 2]), 10, 2, 0) is None


@pytest.mark.parametrize("d", [2, 50, 500])
def test_the_spread_of_points_without_structure(d):
    """Of normal points distances have a deviation of 1 / sqrt(2 d) of their mean, and as many directions as dimensions."""
    points = np.random.default_rng(0).standard_normal((800, d))
    found = contrast(points, 0)
    assert found["spread"] == pytest.approx(1 / np.sqrt(2 * d), rel=0.2 if d == 2 else 0.05)
    assert found["effective_rank"] == pytest.approx(d if d < 500 else 350, rel=0.1) and found["dimensions"] == d
    assert (found["spread"] < FLAT) == (d > 50)


def test_equal_points_have_no_spread():
    assert contrast(np.ones((10, 3)), 0) == {"spread": 0.0, "effective_rank": 0.0, "dimensions": 3}
    assert contrast(np.ones((1, 3)), 0)["spread"] == 0.0


def test_few_clips_are_told_apart_after_centring_and_not_after_whitening():
    """62 clips of 346 correlated statistics, as a folder of songs has: after a PCA whose components are scaled to one, all pairs
    are equally far."""
    generator = np.random.default_rng(0)
    pooled = generator.standard_normal((62, 12)) @ generator.standard_normal((12, 346))
    pooled += 0.3 * generator.standard_normal(pooled.shape)
    whole = PCA(61, svd_solver="full").fit_transform(scaling.standardise(pooled, pooled))
    whitened = contrast(scaling.standardise(whole, whole), 0)
    centred = contrast(scaling.centre(whole, whole), 0)
    assert whitened["spread"] < 0.01 < FLAT < centred["spread"]
    vectors = pooled_pca.embed(pooled, pooled, 64, 0)
    assert vectors.shape == (62, 31)
    assert contrast(scaling.centre(vectors, vectors), 0)["spread"] > FLAT


def test_centring_keeps_all_ratios_of_distances():
    points = np.random.default_rng(0).standard_normal((20, 5)) * [1, 10, 100, 0, 1]
    scaled = scaling.centre(points, points)
    np.testing.assert_allclose(pdist(scaled) / pdist(scaled)[0], pdist(points) / pdist(points)[0])
    assert scaled.var(axis=0).mean() == pytest.approx(1) and abs(scaled.mean(axis=0)).max() < 1e-12
    np.testing.assert_array_equal(scaling.centre(np.ones((3, 2)), np.ones((3, 2))), np.zeros((3, 2)))


def test_how_clusters_are_numbered_does_not_matter():
    """One artist a class, perfect clusters: the other half cannot be named, whatever the numbers."""
    labels = np.repeat(np.arange(5), 10)
    found = [crossed_accuracy((labels), (labels + turn) % 5, 5, labels, 20, 2, 0) for turn in range(5)]
    assert {round(each["accuracy"], 12) for each in found} == {round(found[0]["accuracy"], 12)}
    assert found[0]["accuracy"] < 0.6 and len({tuple(np.round(each["ci95"], 12)) for each in found}) == 1
