"""Scores of multi-label answers: truth, answers and scores are `(clips, labels)`, and each label is a binary problem.

Macro scores are means over the labels that the clips can score: an F1 needs a clip with the label, a ROC-AUC and an average
precision need one with and one without it. A resample of few groups lacks some labels, and those are no errors.
"""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import precision_recall_curve

from pipelines.metrics import tagging

HALF = 0.5


def f1(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """F1 of each label, 2 TP / (2 TP + FP + FN); NaN of a label that no clip has."""
    hits, there, said = (truth & predicted).sum(axis=0), truth.sum(axis=0), predicted.sum(axis=0)
    return np.where(there > 0, 2 * hits / np.maximum(there + said, 1), np.nan)


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the labels that the clips have; NaN where they have none."""
    found = f1(truth, predicted)
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def micro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """F1 of all labels' counts together; NaN where no clip has a label and none was given one."""
    both = int(truth.sum() + predicted.sum())
    return 2 * int((truth & predicted).sum()) / both if both else float("nan")


def macro(measure: Callable[[np.ndarray, np.ndarray], np.ndarray], truth: np.ndarray, scores: np.ndarray) -> float:
    """Mean of `tagging.roc_auc` or `tagging.pr_auc` over the labels that some clips have and others have not; NaN without any."""
    both = tagging.both_classes(truth)
    return float(measure(truth[:, both], scores[:, both]).mean()) if both.any() else float("nan")


def prevalence(truth: np.ndarray) -> float:
    """The expected mean average precision of random scores: a label's share of the clips, over the labels that `macro` takes."""
    both = tagging.both_classes(truth)
    return float(truth[:, both].mean()) if both.any() else 0.0


def thresholds(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Of each label the threshold with the best F1, the highest of equal ones; 0.5 of a label that no clip has.

    A clip has a label where its score is at least the threshold. To be chosen on validation clips: the best F1 on the clips that
    chose it is too high.
    """
    found = np.full(truth.shape[1], HALF)
    for label in np.flatnonzero(truth.any(axis=0)):
        precision, recall, limits = precision_recall_curve(truth[:, label], scores[:, label])
        both = precision + recall
        values = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)[:-1]
        found[label] = limits[np.flatnonzero(values == values.max())[-1]]
    return found
