"""Tagging scores against scikit-learn, ties and rare tags included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from pipelines.core import splits
from pipelines.metrics import tagging


@given(st.integers(2, 60), st.integers(1, 5), st.integers(0, 10_000), st.booleans())
def test_equals_scikit_learn(n, n_tags, seed, ties):
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, n_tags)) < 0.3).astype(np.float32)
    scores = rng.random((n, n_tags))
    scores = np.round(scores, 1) if ties else scores
    roc, pr = tagging.roc_auc(truth, scores), tagging.pr_auc(truth, scores)
    for tag in range(n_tags):
        if 0 < truth[:, tag].sum() < n:
            assert roc[tag] == pytest.approx(metrics.roc_auc_score(truth[:, tag], scores[:, tag]))
        else:
            assert np.isnan(roc[tag])
        if truth[:, tag].any():
            assert pr[tag] == pytest.approx(metrics.average_precision_score(truth[:, tag], scores[:, tag]))
        else:
            assert np.isnan(pr[tag])


def test_the_record():
    rng = np.random.default_rng(0)
    truth = (rng.random((80, 4)) < 0.4).astype(np.float32)
    truth[:, 3] = 0  # a tag no clip has cannot be scored
    scores = 0.5 * truth + rng.random((80, 4))
    record = tagging.evaluate(truth, scores, list("abcd"), n_bootstrap=200, seed=0)
    assert record["n"] == 80 and record["n_tags"] == 3 and sorted(record["per_tag"]) == ["a", "b", "c"]
    assert record["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth[:, :3], scores[:, :3], average="macro"))
    low, high = record["roc_auc_ci95"]
    assert 0.5 < low < record["roc_auc"] < high < 1
    constant = metrics.average_precision_score(truth[:, :3], np.ones((80, 3)), average="macro")
    assert record["baseline"] == {"roc_auc": 0.5, "pr_auc": pytest.approx(constant)}
    alone = tagging.evaluate(truth[:, 1:2], scores[:, 1:2], ["b"], n_bootstrap=200, seed=0)
    for key in ("roc_auc", "pr_auc"):  # a tag's interval is that of the tag alone
        assert record["per_tag"]["b"][f"{key}_ci95"] == pytest.approx(alone[f"{key}_ci95"])


def test_an_interval_of_pr_auc_is_not_shifted_upwards():
    """Copies of a clip in a resample raise a PR-AUC, so a percentile interval lies too high: here it misses the value of
    endless clips more often above than below, and the reflected one does not."""
    rng = np.random.default_rng(0)

    def drawn(n):
        truth = rng.random((n, 5)) < 0.15
        return truth, rng.standard_normal((n, 5)) + truth

    value = tagging.pr_auc(*drawn(200_000)).mean()
    records = [tagging.evaluate(*drawn(100), list("abcde"), n_bootstrap=100, seed=0) for _ in range(40)]
    above = sum(value < record["pr_auc_ci95"][0] for record in records)
    below = sum(value > record["pr_auc_ci95"][1] for record in records)
    percentile = [[2 * r["pr_auc"] - end for end in reversed(r["pr_auc_ci95"])] for r in records]
    assert above + below <= 8 < sum(value < low for low, _ in percentile)


def test_where_no_groups_were_given_nothing_has_passed(manifest_rows):
    """Each clip is its own group, or of one with its copies."""
    passed, sentence = splits.audit(manifest_rows)["no group in two splits"]
    assert passed is None and "no two clips share a group" in sentence
    copies = manifest_rows.assign(sha256=[f"hash{number // 2}" for number in range(len(manifest_rows))])
    copies["group"] = copies.groupby("sha256")["group"].transform("first")
    assert splits.audit(copies)["no group in two splits"][0] is None


def test_labels_that_a_person_reads_as_one():
    names = ["Jazz", "jazz", "jazz ", "Café", "Cafe\u0301", "Blues", "Blue"]
    assert splits.alike(names) == [["Cafe\u0301", "Café"], ["Jazz", "jazz", "jazz "]]


def test_split_audit(manifest_rows):
    checks = splits.audit(manifest_rows.assign(group=manifest_rows["split"] + manifest_rows["target_style"]))
    assert all(passed for passed, _ in checks.values())
    leaky = manifest_rows.assign(group="one work")
    assert not splits.audit(leaky)["no group in two splits"][0]
    copied = splits.audit(manifest_rows.assign(sha256="same"))
    assert not copied["no exact copy in two splits"][0] and not copied["copies have one label"][0]
    assert "1 sounds have two labels of style" in copied["copies have one label"][1]
    alike = splits.audit(manifest_rows.assign(target_style=["a", "A "] * (len(manifest_rows) // 2)))
    assert not alike["labels can be told apart"][0] and "'A ', 'a'" in alike["labels can be told apart"][1]
    thin = manifest_rows.assign(target_style=["rare", *["common"] * (len(manifest_rows) - 1)])
    thin.loc[0, "split"] = "test"
    assert not splits.audit(thin)["class balance of style"][0]


def test_a_resample_that_says_nothing_is_in_no_interval():
    """One positive clip, ranked first: of many resamples it is not part."""
    truth, scores = np.zeros((20, 1), int), np.linspace(1, 0, 20)[:, None]
    truth[0] = 1
    record = tagging.evaluate(truth, scores, ["a"], 200, 0)
    assert record["roc_auc"] == 1 and record["roc_auc_ci95"] == record["per_tag"]["a"]["roc_auc_ci95"] == [1, 1]
