"""Before and after: closed forms, what is paired and what is not, and the measures they must equal."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.evaluation import before_after, probes


def test_an_interval_of_a_difference_is_paired():
    """Two versions that are right on the same clips but one: their scores are uncertain, their difference is not."""
    right = np.random.default_rng(0).random(200) < 0.5
    after = right.copy()
    after[np.flatnonzero(right)[0]] = False
    found = before_after.accuracy({"clean": right, "noisy": after}, None, 500, 0)
    assert found["noisy"]["difference"] == pytest.approx(-1 / 200)
    low, high = found["noisy"]["difference_ci95"]
    assert -0.021 < low <= found["noisy"]["difference"] <= high <= 0
    assert np.diff(found["clean"]["ci95"]) > 0.1
    assert "difference" not in found["clean"] and found["clean"]["score"] == right.mean()


def test_an_interval_covers_the_truth_as_often_as_it_says():
    rng, covered = np.random.default_rng(1), 0
    for _ in range(200):
        before = rng.random(80) < 0.7
        after = np.where(rng.random(80) < 0.3, False, before)  # true difference -0.21
        low, high = before_after.accuracy({"a": before, "b": after}, None, 200, 0)["b"]["difference_ci95"]
        covered += low <= -0.21 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_clips_of_one_work_count_once():
    """Every clip ten times over, as one work: the interval of the works, not of the clips."""
    before, after = (np.random.default_rng(seed).random(40) < 0.5 for seed in (0, 1))
    works = np.repeat(np.arange(40), 10)
    one = before_after.accuracy({"a": before, "b": after}, None, 2000, 0)["b"]
    ten = before_after.accuracy({"a": before.repeat(10), "b": after.repeat(10)}, works, 2000, 0)["b"]
    naive = before_after.accuracy({"a": before.repeat(10), "b": after.repeat(10)}, None, 2000, 0)["b"]
    assert (ten["n"], ten["n_groups"]) == (400, 40)
    assert ten["difference_ci95"] == pytest.approx(one["difference_ci95"])
    assert np.diff(naive["difference_ci95"]) < 0.5 * np.diff(ten["difference_ci95"])


def test_roc_auc_is_scikit_learns():
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 5)) < 0.4).astype(np.float32)
    truth[:, 4] = 0  # a tag of one class counts nowhere
    scores = {"clean": truth + rng.random((60, 5)), "noisy": rng.random((60, 5))}
    found = before_after.roc_auc(truth, scores, None, 300, 0)
    for name, values in scores.items():
        wanted = roc_auc_score(truth[:, :4], values[:, :4], average="macro")
        assert found[name]["score"] == pytest.approx(wanted)
    assert found["noisy"]["difference_ci95"][1] < -0.2
    assert found["noisy"]["ci95"][0] < 0.5 < found["noisy"]["ci95"][1]
    with pytest.raises(ValueError, match="no tag"):
        before_after.roc_auc(np.ones((5, 2)), {"clean": np.ones((5, 2))}, None, 10, 0)


def test_cosines():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((60, 400))
    versions = {"clean": points, "same": 3 * points, "turned": -points, "other": rng.standard_normal((60, 400))}
    found = before_after.cosine(versions, None, 100, 0)
    assert found["same"]["score"] == pytest.approx(1) and found["turned"]["score"] == pytest.approx(-1)
    assert abs(found["other"]["score"]) < 0.05 and abs(found["others"]) < 0.05
    assert "clean" not in found and found["same"]["n"] == 60
    alike = np.repeat(points[:30], 2, axis=0)
    assert abs(before_after.cosine({"a": alike, "b": alike}, np.arange(60) // 2, 10, 0)["others"]) < 0.05
    with pytest.raises(ValueError, match="two clips"):
        before_after.cosine({"a": points[:1], "b": points[:1]}, None, 10, 0)


@pytest.mark.parametrize("probe", ["linear", "knn"])
def test_a_probe_asked_about_clean_clips_answers_as_the_probe_itself(probe):
    rng = np.random.default_rng(0)
    labels, groups = np.arange(90) % 3, np.arange(90) // 2
    points = rng.standard_normal((90, 6)) + 1.5 * np.eye(3, 6)[labels]
    test, names = groups >= 30, ["a", "b", "c"]
    record, wanted = probes.evaluate(points, labels, names, probe, 10, 5, 0, groups=groups, test=test)
    rows = np.flatnonzero(test)
    versions = {"clean": points[rows], "far": points[rows] + 100, "again": points[rows]}
    side = np.where(test, 0, -1)
    found, majority = before_after.ask(points, labels, groups, side, rows, versions, names, probe, 0)
    np.testing.assert_array_equal(found["clean"], wanted[rows])
    np.testing.assert_array_equal(found["again"], wanted[rows])
    assert (found["far"] == labels[rows]).mean() < (found["clean"] == labels[rows]).mean()
    assert (majority == labels[rows]).mean() == record["majority"]["accuracy"]


def test_nothing_asked_about_is_learnt_from():
    """Labels that are noise: a probe that had learnt a clip would know its label."""
    rng = np.random.default_rng(0)
    points, labels = rng.standard_normal((120, 200)), rng.integers(0, 2, 120)
    side = np.arange(120) % 5
    found, _ = before_after.ask(
        points, labels, np.arange(120), side, np.arange(120), {"clean": points}, ["a", "b"], "linear", 0
    )
    assert 0.3 < (found["clean"] == labels).mean() < 0.7
