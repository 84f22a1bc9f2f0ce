"""Multi-label scores against scikit-learn and torchmetrics, and thresholds against every possible one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics
from torchmetrics.functional import classification as torchmetrics

from pipelines.metrics import multilabel, tagging


def made(seed=0, n=90, k=6):
    rng = np.random.default_rng(seed)
    truth = rng.random((n, k)) < np.linspace(0.1, 0.7, k)
    scores = np.round(rng.random((n, k)) + 0.4 * truth, 2)  # with ties
    return truth, scores


def test_f1_is_that_of_scikit_learn_and_torchmetrics():
    truth, scores = made()
    said = scores > 0.7
    np.testing.assert_allclose(multilabel.f1(truth, said), metrics.f1_score(truth, said, average=None))
    assert multilabel.macro_f1(truth, said) == pytest.approx(metrics.f1_score(truth, said, average="macro"))
    assert multilabel.micro_f1(truth, said) == pytest.approx(metrics.f1_score(truth, said, average="micro"))
    given_ = torch.from_numpy(said.astype(float)), torch.from_numpy(truth.astype(int))
    for average, own in (("macro", multilabel.macro_f1), ("micro", multilabel.micro_f1)):
        other = torchmetrics.multilabel_f1_score(*given_, num_labels=6, average=average)
        assert own(truth, said) == pytest.approx(float(other), abs=1e-6), average


def test_mean_average_precision_and_roc_auc_are_those_of_both_libraries():
    truth, scores = made(3)
    for own, other, torch_other in (
        (tagging.pr_auc, metrics.average_precision_score, torchmetrics.multilabel_average_precision),
        (tagging.roc_auc, metrics.roc_auc_score, torchmetrics.multilabel_auroc),
    ):
        found = multilabel.macro(own, truth, scores)
        assert found == pytest.approx(other(truth, scores, average="macro"))
        as_tensors = torch.from_numpy(scores) / 2, torch.from_numpy(truth.astype(int))
        assert found == pytest.approx(float(torch_other(*as_tensors, num_labels=6)), abs=1e-6)


def test_labels_that_the_clips_cannot_score_are_left_out():
    truth, scores = made()
    truth[:, 0], truth[:, 1] = False, True
    said = scores > 0.7
    assert multilabel.macro_f1(truth, said) == pytest.approx(multilabel.macro_f1(truth[:, 1:], said[:, 1:]))
    found = multilabel.macro(tagging.roc_auc, truth, scores)
    assert found == pytest.approx(multilabel.macro(tagging.roc_auc, truth[:, 2:], scores[:, 2:]))
    assert multilabel.prevalence(truth) == pytest.approx(truth[:, 2:].mean())
    nothing = np.zeros((4, 2), bool)
    assert np.isnan(multilabel.macro_f1(nothing, nothing)) and np.isnan(multilabel.micro_f1(nothing, nothing))
    assert np.isnan(multilabel.macro(tagging.pr_auc, nothing, scores[:4, :2]))


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(bool, 12), arrays.arrays(np.float64, 12, elements=st.floats(0, 1).map(lambda value: round(value, 1)))
)
def test_no_other_threshold_has_a_better_f1(truth, scores):
    truth, scores = truth[:, None], scores[:, None]
    chosen = multilabel.thresholds(truth, scores)
    if not truth.any():
        assert chosen.tolist() == [0.5]
        return
    best = multilabel.macro_f1(truth, scores >= chosen)
    every = [multilabel.macro_f1(truth, scores >= limit) for limit in (*np.unique(scores), 2.0)]
    assert best == pytest.approx(max(every))
    assert chosen[0] in scores
