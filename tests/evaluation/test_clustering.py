"""Hungarian matching against brute force; scores against scikit-learn and closed forms."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.preprocessing import StandardScaler

from pipelines.evaluation import clustering
from pipelines.metrics import intervals, scaling

FEW = {"n_init": 3, "n_bootstrap": 200, "n_permutations": 50, "seed": 0}


@st.composite
def labelled(draw):
    k = draw(st.integers(2, 5))
    n = draw(st.integers(1, 40))
    numbers = st.lists(st.integers(0, k - 1), min_size=n, max_size=n).map(np.array)
    return k, draw(numbers), draw(numbers)


@given(labelled())
def test_matching_is_the_best_of_all(case):
    k, labels, clusters = case
    matched = clustering.match(labels, clusters, k)
    assert sorted(matched) == list(range(k))
    best = max(np.mean(np.array(order)[clusters] == labels) for order in permutations(range(k)))
    assert np.mean(matched[clusters] == labels) == pytest.approx(best)


@given(labelled(), st.randoms())
def test_renaming_clusters_or_classes_changes_nothing(case, random):
    k, labels, clusters = case
    renamed = list(range(k))
    random.shuffle(renamed)
    renamed = np.array(renamed)

    def accuracy(labels, clusters):
        return np.mean(clustering.match(labels, clusters, k)[clusters] == labels)

    assert accuracy(labels, renamed[clusters]) == pytest.approx(accuracy(labels, clusters))
    assert accuracy(renamed[labels], clusters) == pytest.approx(accuracy(labels, clusters))


def blobs(distance, n=40, k=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), n)
    return rng.standard_normal((k * n, 5)) + distance * rng.standard_normal((k, 5))[labels], labels


def test_separated_classes_are_found_and_noise_is_at_chance():
    points, labels = blobs(20)
    record, predicted, confusion = clustering.evaluate(points, labels, ["a", "b", "c"], **FEW)
    assert record["hungarian_accuracy"] == record["macro_f1"] == record["nmi"] == record["ari"] == 1.0
    np.testing.assert_array_equal(predicted, labels)
    np.testing.assert_array_equal(confusion, 40 * np.eye(3))
    points, labels = blobs(0)
    record, _, _ = clustering.evaluate(points, labels, ["a", "b", "c"], **FEW)
    low, high = record["ci95"]
    assert low <= record["chance"] <= high
    assert 1 / 3 < record["chance"] < 0.5  # matching lifts chance above 1/k


def test_the_record_equals_scikit_learn():
    points, labels = blobs(1.0)
    record, predicted, confusion = clustering.evaluate(points, labels, ["a", "b", "c"], **FEW)
    clusters = clustering.kmeans(points, 3, FEW["n_init"], FEW["seed"])
    assert record["n"] == 120 and record["k"] == 3
    assert record["hungarian_accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert record["macro_f1"] == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert record["v_measure"] == pytest.approx(metrics.v_measure_score(labels, clusters))
    assert record["silhouette"] == pytest.approx(metrics.silhouette_score(points, clusters))
    np.testing.assert_array_equal(confusion, metrics.confusion_matrix(labels, predicted))
    report = metrics.classification_report(labels, predicted, target_names=["a", "b", "c"], output_dict=True)
    for name in "abc":
        assert record["per_class"][name]["f1"] == pytest.approx(report[name]["f1-score"])
        assert record["per_class"][name]["support"] == report[name]["support"]


def test_other_starts_are_told():
    points, labels = blobs(0.7)
    record, *_ = clustering.evaluate(points, labels, list("abc"), **FEW, n_repeats=4)
    again = []
    for seed in range(FEW["seed"], FEW["seed"] + 5):
        clusters = KMeans(3, n_init=FEW["n_init"], random_state=seed).fit_predict(points)
        again.append((clustering.match(labels, clusters, 3)[clusters] == labels).mean())
    assert record["repeats"] == {"n": 4, "lowest": pytest.approx(min(again)), "highest": pytest.approx(max(again))}
    assert clustering.evaluate(points, labels, list("abc"), **FEW)[0]["repeats"] is None


def test_identical_points_give_a_record_and_no_silhouette():
    record, _, _ = clustering.evaluate(np.zeros((10, 3)), np.arange(10) % 2, ["a", "b"], **FEW)
    assert record["silhouette"] is None and record["hungarian_accuracy"] == 0.5


def test_kmeans_is_the_default_and_is_scikit_learns():
    points, labels = blobs(1.0)
    assert (
        clustering.evaluate(points, labels, list("abc"), **FEW)[0]
        == (clustering.evaluate(points, labels, list("abc"), **FEW, clusterer="kmeans")[0])
    )
    np.testing.assert_array_equal(
        clustering.kmeans(points, 3, 3, 0), KMeans(3, n_init=3, random_state=0).fit_predict(points)
    )
    with pytest.raises(ValueError, match="agglomerative"):
        clustering.evaluate(points, labels, list("abc"), **FEW, clusterer="spectral")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", clustering.CLUSTERERS)
def test_every_clusterer(name):
    points, labels = blobs(20)
    assert clustering.evaluate(points, labels, list("abc"), **FEW, clusterer=name)[0]["hungarian_accuracy"] == 1.0
    noise, labels = blobs(0)
    record, predicted, confusion = clustering.evaluate(noise, labels, list("abc"), **FEW, clusterer=name)
    assert record["ci95"][0] <= record["chance"] <= record["ci95"][1]
    assert confusion.sum() == record["n"] and record["hungarian_accuracy"] == np.mean(predicted == labels)
    again = clustering.evaluate(noise, labels, list("abc"), **FEW, clusterer=name)
    assert again[0] == record
    equal, _, _ = clustering.evaluate(np.zeros((10, 3)), np.arange(10) % 2, ["a", "b"], **FEW, clusterer=name)
    assert equal["silhouette"] is None and equal["hungarian_accuracy"] == 0.5
    wide = np.random.default_rng(0).standard_normal((12, 300))  # fewer clips than dimensions
    wide[6:, :30] += 4
    found, _, _ = clustering.evaluate(wide, np.repeat([0, 1], 6), ["a", "b"], **FEW, clusterer=name)
    assert found["hungarian_accuracy"] == 1.0
    with pytest.raises(ValueError):
        clustering.CLUSTERERS[name](np.zeros((2, 3)), 3, 1, 0)


@pytest.mark.parametrize("n,k", [(7, 1), (40, 3), (300, 12)])
def test_ward_equals_scikit_learn(n, k):
    points = np.random.default_rng(n).standard_normal((n, 6)) * 3 + 100
    peer = AgglomerativeClustering(k, linkage="ward").fit_predict(points)
    assert metrics.adjusted_rand_score(peer, clustering.agglomerative(points, k)) == 1.0


def test_a_mixture_knows_spread_and_kmeans_does_not():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 300)
    points = rng.standard_normal((600, 2)) * np.where(labels, 8, 0.5)[:, None]  # one class around the other
    found = {
        name: clustering.evaluate(points, labels, ["a", "b"], **FEW, clusterer=name)[0]["hungarian_accuracy"]
        for name in ("kmeans", "gaussian_mixture")
    }
    assert found["gaussian_mixture"] > 0.9 and found["kmeans"] < 0.8


def test_standardising_uses_the_reference_alone():
    values = np.random.default_rng(0).standard_normal((20, 4)) * [1, 10, 100, 0] + 3
    got = scaling.standardise(values, values[:12])
    np.testing.assert_allclose(got[:, :3], StandardScaler().fit(values[:12]).transform(values)[:, :3])
    np.testing.assert_array_equal(got[:, 3], 0)


def test_bootstrap_interval_of_a_mean():
    values = np.random.default_rng(0).standard_normal(400)
    low, high = intervals.bootstrap(lambda rows: values[rows].mean(), 400, 2000, seed=1)
    error = 1.96 * values.std() / 20  # the normal approximation
    assert low == pytest.approx(values.mean() - error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + error, abs=0.15 * error)
    assert intervals.bootstrap(lambda rows: [0.0, 1.0], 5, 10, seed=1) == [[0.0, 0.0], [1.0, 1.0]]
