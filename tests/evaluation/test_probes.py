"""Folds that keep groups together; probes against scikit-learn and planted truths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from pipelines.evaluation import probes
from pipelines.evaluation.folds import folds

pytestmark = pytest.mark.filterwarnings("error")
FEW = {"n_bootstrap": 200, "n_permutations": 50, "seed": 0}


@given(st.integers(2, 60), st.integers(2, 12), st.integers(2, 6), st.integers(0, 1000))
def test_no_group_is_in_two_folds(n, n_groups, n_folds, seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, n)
    labels = rng.integers(0, 3, n)
    if len(np.unique(groups)) < 2:
        with pytest.raises(ValueError, match="one group"):
            folds(labels, groups, n_folds, seed)
        return
    fold = folds(labels, groups, n_folds, seed)
    assert all(len(np.unique(fold[groups == group])) == 1 for group in np.unique(groups))
    assert len(np.unique(fold)) == min(n_folds, len(np.unique(groups)))


def test_folds_have_their_share_of_each_class():
    labels = np.repeat([0, 1, 2], [50, 30, 10])
    fold = folds(labels, None, 5, 0)
    table = np.array([np.bincount(labels[fold == number], minlength=3) for number in range(5)])
    np.testing.assert_array_equal(table, [[10, 6, 2]] * 5)
    assert (folds(labels, None, 5, 1) != fold).any()


def classes(distance, n=60, k=3, d=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), n)
    return rng.standard_normal((k * n, d)) + distance * rng.standard_normal((k, d))[labels], labels


@pytest.mark.parametrize("probe", probes.PROBES)
def test_separated_classes_and_noise(probe):
    points, labels = classes(6)
    record, predicted = probes.evaluate(points, labels, list("abc"), probe, **FEW)
    assert record["accuracy"] == record["macro_f1"] == 1.0 and record["accuracy_ci95"] == [1.0, 1.0]
    np.testing.assert_array_equal(predicted, labels)
    assert record["n"] == record["n_groups"] == 180 and record["n_train"] == 144 and len(record["settings"]) == 5
    assert record["majority"]["accuracy"] <= 0.34 and record["chance"]["accuracy"] == pytest.approx(1 / 3, abs=0.03)
    points, labels = classes(0)
    record, _ = probes.evaluate(points, labels, list("abc"), probe, **FEW)
    assert record["accuracy_ci95"][0] < record["chance"]["accuracy"] + 0.05
    assert record["accuracy"] < 0.5


@pytest.mark.parametrize("probe", probes.PROBES)
def test_the_record_equals_scikit_learn(probe):
    points, labels = classes(0.7)
    labels[:40] = 1  # uneven classes
    test = np.random.default_rng(1).random(180) < 0.3
    record, predicted = probes.evaluate(points, labels, list("abc"), probe, **FEW, test=test)
    assert (predicted[~test] == -1).all() and record["split"] == "test" and record["n"] == test.sum()
    truth, found = labels[test], predicted[test]
    assert record["accuracy"] == pytest.approx(metrics.accuracy_score(truth, found))
    assert record["macro_f1"] == pytest.approx(metrics.f1_score(truth, found, average="macro"))
    assert record["accuracy_ci95"][0] < record["accuracy"] < record["accuracy_ci95"][1]
    assert record["macro_f1_ci95"][0] < record["macro_f1"] < record["macro_f1_ci95"][1]
    constant = np.full(test.sum(), np.bincount(labels[~test]).argmax())
    assert record["majority"]["accuracy"] == pytest.approx(np.mean(truth == constant))
    assert record["majority"]["macro_f1"] == pytest.approx(
        metrics.f1_score(truth, constant, average="macro", zero_division=0)
    )
    shares = np.bincount(truth, minlength=3) @ np.bincount(found, minlength=3) / len(truth) ** 2
    assert record["chance"]["accuracy"] == pytest.approx(shares, abs=0.03)
    assert record["per_class"]["b"]["support"] == (truth == 1).sum()
    assert record["per_class"]["b"]["f1"] == pytest.approx(metrics.f1_score(truth, found, average=None)[1])


def test_linear_is_scikit_learns():
    points, labels = classes(0.5)
    train, queries = points[::2], points[1::2]
    found = probes.linear(train, labels[::2], queries, (1.0, 0.01), 3)
    for row, penalty in enumerate((1.0, 0.01)):
        peer = LogisticRegression(C=1 / (penalty * 90), max_iter=2000, tol=1e-8).fit(train, labels[::2])
        assert np.mean(found[row] == peer.predict(queries)) > 0.97  # ours stops at 1e-3


def test_neighbours_are_scikit_learns():
    points, labels = classes(0.5)
    train, queries = points[::2], points[1::2]
    found = probes.knn(train, labels[::2], queries, (1, 3, 500), 3)
    peer = KNeighborsClassifier(1, metric="cosine").fit(train, labels[::2]).predict(queries)
    np.testing.assert_array_equal(found[0], peer)
    shares = KNeighborsClassifier(3, metric="cosine").fit(train, labels[::2]).predict_proba(queries)
    clear = np.sort(shares, axis=1)[:, -1] > 0.5
    np.testing.assert_array_equal(found[1][clear], shares.argmax(axis=1)[clear])
    assert found.shape == (3, 90)


@pytest.mark.parametrize("probe", probes.PROBES)
def test_a_probe_cannot_gain_from_knowing_the_work(probe):
    rng = np.random.default_rng(0)
    works = np.repeat(np.arange(40), 6)  # clips of a work are alike, and its class is drawn at random
    labels = rng.integers(0, 2, 40)[works]
    points = 5 * rng.standard_normal((40, 10))[works] + rng.standard_normal((240, 10))
    honest, _ = probes.evaluate(points, labels, ["a", "b"], probe, **FEW, groups=works)
    leaky, _ = probes.evaluate(points, labels, ["a", "b"], probe, **FEW)
    assert honest["n_groups"] == 40 and honest["accuracy_ci95"][0] < 0.55 < leaky["accuracy_ci95"][0]
    assert np.ptp(honest["accuracy_ci95"]) > 1.5 * np.ptp(leaky["accuracy_ci95"])


def test_degenerate_input():
    points, labels = classes(1)
    with pytest.raises(ValueError, match="one class"):
        probes.evaluate(points, np.zeros(180, int), ["a"], "knn", **FEW)
    with pytest.raises(ValueError, match="NaN"):
        probes.evaluate(np.where(points > 3, np.nan, points), labels, list("abc"), "knn", **FEW)
    with pytest.raises(ValueError, match="both sides"):
        probes.evaluate(points, labels, list("abc"), "knn", **FEW, groups=np.zeros(180), test=np.arange(180) < 9)
    with pytest.raises(ValueError, match="training clips are of one class"):
        probes.evaluate(points, labels, list("abc"), "knn", **FEW, test=labels > 0)
    with pytest.raises(ValueError, match="test clips"):
        probes.evaluate(points, labels, list("abc"), "knn", **FEW, test=np.zeros(180, bool))
    with pytest.raises(ValueError, match="linear, knn"):
        probes.evaluate(points, labels, list("abc"), "forest", **FEW)
    with pytest.raises(ValueError, match="from 0 to 1"):
        probes.evaluate(points, labels, list("ab"), "knn", **FEW)
    for probe in probes.PROBES:  # identical points, a class of one clip, and one of one work
        record, _ = probes.evaluate(np.ones((12, 4)), np.array([0] * 6 + [1] * 5 + [2]), list("abc"), probe, **FEW)
        assert record["per_class"]["c"] == {"f1": 0.0, "support": 1}
        record, _ = probes.evaluate(
            points[:120], labels[:120], list("ab"), probe, **FEW, groups=labels[:120]
        )  # each fold has one class to learn from, and the other to guess
        assert record["accuracy"] == 0.0
