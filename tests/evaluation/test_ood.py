"""Out-of-distribution scores against scikit-learn, closed forms and planted datasets."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import norm
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from pipelines.evaluation import ood
from pipelines.metrics import intervals, tagging

pytestmark = pytest.mark.filterwarnings("error")
FEW = {"n_bootstrap": 200, "seed": 0}
CENTRES = 8 * np.eye(3, 6)


def music(n=100, seed=0, centres=CENTRES, d=6):
    """Three classes of n clips."""
    labels = np.repeat(np.arange(len(centres)), n)
    return centres[labels] + np.random.default_rng(seed).standard_normal((len(labels), d)), labels


def test_nearest_classes_and_their_shares():
    reference, labels = music()
    outside = np.concatenate([CENTRES[[0]].repeat(30, 0), CENTRES[[2]].repeat(10, 0)])
    outside = outside + np.random.default_rng(1).standard_normal(outside.shape)
    record, voted = ood.nearest_classes(outside, reference, labels, list("abc"), 5, **FEW)
    np.testing.assert_array_equal(voted, [0] * 30 + [2] * 10)
    assert {name: found["share"] for name, found in record["classes"].items()} == {"a": 0.75, "b": 0.0, "c": 0.25}
    assert record["classes"]["a"]["baseline"] == pytest.approx(1 / 3) and record["n"] == 40
    low, high = record["classes"]["a"]["ci95"]
    error = 1.96 * np.sqrt(0.75 * 0.25 / 40)
    assert low == pytest.approx(0.75 - error, abs=0.05) and high == pytest.approx(0.75 + error, abs=0.05)
    assert record["classes"]["b"]["ci95"] == [0.0, 0.0]


def test_equal_votes_go_to_the_nearer_class():
    """In float32, too: a cosine's millionth is below what it keeps beside a vote."""
    angles = np.linspace(0.001, 0.05, 40)
    first, second = angles, angles * 1.0005  # the second class is farther, by little
    reference = np.array(
        [[np.cos(a), np.sin(a)] for a in np.concatenate([[x, -y] for x, y in zip(first, second, strict=True)])]
    )
    labels = np.arange(80) % 2
    for k in (2, 10, 20):
        _, voted = ood.nearest_classes(np.float32([[1, 0]]), reference.astype("float32"), labels, list("ab"), k, **FEW)
        assert voted.tolist() == [0]


def test_mahalanobis_equals_scipy():
    reference, labels = music(20)
    points = np.random.default_rng(1).standard_normal((9, 6)) * 4
    means = np.stack([reference[labels == number].mean(axis=0) for number in range(3)])
    inverse = LedoitWolf(assume_centered=True).fit(reference - means[labels]).precision_
    found = ood.mahalanobis(points, reference, labels, 4)
    np.testing.assert_allclose(found[:, :3], cdist(points, means, "mahalanobis", VI=inverse))
    assert np.isinf(found[:, 3]).all()  # a class without clips


def test_mahalanobis_with_fewer_clips_than_dimensions():
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((12, 200))
    reference[6:, 0] += 50
    found = ood.mahalanobis(reference[[0, 11]], reference, np.repeat([0, 1], 6), 2)
    assert np.isfinite(found).all() and found.argmin(axis=1).tolist() == [0, 1]


def test_knn_distance_equals_scikit_learn():
    reference, _ = music()
    points = np.random.default_rng(1).standard_normal((20, 6))
    unit = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in (points, reference)]
    expected = NearestNeighbors(n_neighbors=7).fit(unit[1]).kneighbors(unit[0])[0][:, -1]
    np.testing.assert_allclose(ood.knn_distance(points, reference, 7), expected, atol=1e-5)


def test_equal_distributions_are_not_told_apart_and_far_ones_are():
    reference, labels = music()
    held_out, same = music(80, seed=1)[0], music(80, seed=2)[0]
    record, scores = ood.detection(held_out, same, reference, labels, list("abc"), 5, **FEW)
    for method in ("mahalanobis", "knn"):
        low, high = record[method]["ci95"]
        assert low < 0.5 < high and abs(record[method]["auroc"] - 0.5) < 0.08
        truth = np.repeat([0, 1], [240, 240])
        assert record[method]["auroc"] == pytest.approx(roc_auc_score(truth, np.concatenate(scores[method])))
    far = held_out + np.array([0, 0, 0, 0, 0, 20])
    record, _ = ood.detection(held_out, far, reference, labels, list("abc"), 5, **FEW)
    assert record["mahalanobis"] == {"auroc": 1.0, "ci95": [1.0, 1.0]} and record["knn"]["auroc"] > 0.99
    assert record["n_held_out"] == record["n_outside"] == 240 and record["baseline"] == 0.5
    assert all(sides["outside"] > sides["held_out"] for sides in record["classes"].values())


def test_auroc_of_a_shift_is_the_closed_form():
    rng = np.random.default_rng(0)  # one class, one dimension: distance |x|, shifted far enough that the sign is known
    reference, held_out = rng.standard_normal((3000, 1)), rng.standard_normal((3000, 1))
    outside = 4 + rng.standard_normal((3000, 1))
    record, _ = ood.detection(held_out, outside, reference, np.zeros(3000, int), ["a"], 1, n_bootstrap=20, seed=0)
    grid = np.linspace(0, 12, 5000)  # P(|X| < |4 + Y|) = integral of P(|X| < t) over the law of |4 + Y|
    density = norm.pdf(grid - 4) + norm.pdf(grid + 4)
    expected = np.sum((2 * norm.cdf(grid) - 1) * density) * (grid[1] - grid[0])
    assert record["mahalanobis"]["auroc"] == pytest.approx(expected, abs=0.01)


def test_held_out_clips_are_needed_because_fitted_ones_look_near():
    rng = np.random.default_rng(0)
    reference, same = rng.standard_normal((100, 80)), rng.standard_normal((100, 80))
    labels = np.repeat([0, 1], 50)
    leaky, _ = ood.detection(reference, same, reference, labels, ["a", "b"], 1, **FEW)
    honest, _ = ood.detection(rng.standard_normal((100, 80)), same, reference, labels, ["a", "b"], 1, **FEW)
    assert leaky["knn"]["auroc"] == 1.0 and abs(honest["knn"]["auroc"] - 0.5) < 0.12


def test_its_own_cluster():
    few = {"n_init": 5, "n_bootstrap": 200, "n_permutations": 99, "seed": 0}
    inside = music(60)[0]
    foreign = 12 * np.eye(6)[5] + np.random.default_rng(1).standard_normal((40, 6))
    record, clusters = ood.own_cluster(inside, foreign, 3, **few)
    assert record["share"] == record["purity"] == record["f1"] == 1.0 and record["own"] and record["p"] == 0.01
    assert record["k"] == 4 and len(set(clusters[180:])) == 1 and clusters[200] == record["cluster"]
    assert record["chance"]["purity"] < 0.4 and record["n_inside"] == 180 and record["n_outside"] == 40
    same = music(20, seed=3)[0]
    record, _ = ood.own_cluster(inside, same, 3, **few)
    assert not record["own"] and record["p"] > 0.01
    assert record["f1_ci95"][0] < record["chance"]["f1"] + 0.1


def test_share_and_purity_by_hand():
    clusters, foreign = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 1, 0, 0], dtype=bool)
    assert ood._best(clusters, foreign, 3) == (0, pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_degenerate_input():
    reference, labels = music(5)
    with pytest.raises(ValueError, match="outside: 1 clips"):
        ood.detection(reference, np.full((1, 6), np.nan), reference, labels, list("abc"), 3, **FEW)
    with pytest.raises(ValueError, match="no clip differs"):
        ood.mahalanobis(reference, CENTRES, np.arange(3), 3)
    with pytest.raises(ValueError, match="5 clusters"):
        ood.own_cluster(reference[:2], reference[:1], 4, 1, 10, 10, 0)
    with pytest.raises(ValueError, match="from 0 to 1"):
        ood.nearest_classes(reference, reference, labels, list("ab"), 3, **FEW)
    record, _ = ood.own_cluster(np.ones((6, 2)), np.ones((3, 2)), 2, 1, 50, 20, 0)
    assert record["share"] == 1.0 and record["purity"] == pytest.approx(1 / 3) and not record["own"]


def test_intervals_of_an_auroc_are_those_of_the_bootstrap():
    """Of values with ties, some of which no resample tells apart."""
    generator = np.random.default_rng(0)
    for n, seed in ((13, 0), (60, 1)):
        values, foreign = np.round(generator.standard_normal((n, 2)), 1), np.arange(n) % 3 == 0
        both = np.repeat(foreign[:, None], 2, axis=1).astype(float)
        with np.errstate(invalid="ignore"):
            expected = intervals.bootstrap(lambda rows: tagging.roc_auc(both[rows], values[rows]), n, 200, seed)  # noqa: B023
        np.testing.assert_allclose(ood._auroc_intervals(foreign, values, np.arange(n), 200, seed), expected, rtol=1e-12)


def test_clips_of_one_work_count_once():
    """Every clip three times, as one work: the interval is that of the works."""
    rng = np.random.default_rng(3)
    reference, labels = rng.standard_normal((60, 4)), np.arange(60) % 3
    held_out, outside = rng.standard_normal((20, 4)), rng.standard_normal((15, 4)) + 0.7
    thrice = [np.repeat(part, 3, axis=0) for part in (held_out, outside)]
    works = tuple(np.repeat(np.arange(len(part)), 3) for part in (held_out, outside))
    one, _ = ood.detection(held_out, outside, reference, labels, list("abc"), 5, **FEW)
    many, _ = ood.detection(*thrice, reference, labels, list("abc"), 5, **FEW, groups=works)
    apart, _ = ood.detection(*thrice, reference, labels, list("abc"), 5, **FEW)
    for method in ("mahalanobis", "knn"):
        np.testing.assert_allclose(many[method]["ci95"], one[method]["ci95"])
        assert np.ptp(apart[method]["ci95"]) < np.ptp(one[method]["ci95"])
    one, _ = ood.nearest_classes(outside, reference, labels, list("abc"), 5, **FEW)
    many, _ = ood.nearest_classes(thrice[1], reference, labels, list("abc"), 5, **FEW, groups=works[1])
    assert [found["ci95"] for found in many["classes"].values()] == [
        pytest.approx(found["ci95"]) for found in one["classes"].values()
    ]
