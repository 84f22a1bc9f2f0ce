"""Scores of one class a clip: macro F1, accuracies, ROC-AUC and mAP, and the columns from which they are computed.

Macro F1 leads: the mean over classes, so that a rare class counts as much as a frequent one. It is over the classes that the
scored clips have: a resample of few groups lacks some classes, and those are no errors.
"""

import numpy as np

from pipelines.metrics import multilabel, tagging
from pipelines.metrics.scores import Columns, Metric

METRICS = {
    "macro_f1": Metric(lambda c: macro_f1(c["actual"], c["predicted"]), chance=lambda c: 1 / len(set(c["actual"]))),
    "accuracy": Metric(
        lambda c: np.mean(c["actual"] == c["predicted"]), chance=lambda c: float(np.sum(_shares(c) ** 2))
    ),
    "top_3_accuracy": Metric(lambda c: np.mean(c["rank"] < 3), chance=lambda c: _top(c, 3)),
    "balanced_accuracy": Metric(
        lambda c: balanced(c["actual"], c["predicted"]), chance=lambda c: 1 / len(set(c["actual"]))
    ),
    "roc_auc": Metric(lambda c: multilabel.macro(tagging.roc_auc, *_against_rest(c)), chance=lambda c: 0.5),
    "map": Metric(
        lambda c: multilabel.macro(tagging.pr_auc, *_against_rest(c)),
        chance=lambda c: multilabel.prevalence(_against_rest(c)[0]),
        reflected=True,
    ),
}
"""Chance is that of answers drawn at random by the classes' shares of the test clips; of top 3, of three different classes.
ROC-AUC and mAP are means over the classes, each against the rest; of two classes the ROC-AUC is that of either."""


def columns(
    unit: np.ndarray, group: np.ndarray, actual: np.ndarray, classes: np.ndarray, probabilities: np.ndarray
) -> Columns:
    """unit, group, `predicted`, `actual`, its column `own` of `probabilities` `(clips, classes)`, and its `rank` (0: the highest
    probability). classes: sorted, in the order of the probabilities; they contain every `actual`."""
    classes = np.asarray(classes)
    own = np.searchsorted(classes, actual)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return {
        "unit": unit,
        "group": group,
        "actual": actual,
        "predicted": classes[order[:, 0]],
        "own": own,
        "rank": (order == own[:, None]).argmax(axis=1),
        "probabilities": probabilities.astype(np.float32),
    }


def macro_f1(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the classes in `actual`."""
    counts = _counts(actual, predicted)
    there = counts.sum(axis=1) > 0
    return float(np.mean((2 * counts.diagonal() / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1))[there]))


def balanced(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall over the classes in `actual`."""
    counts = _counts(actual, predicted)
    there = counts.sum(axis=1) > 0
    return float(np.mean(counts.diagonal()[there] / counts.sum(axis=1)[there]))


def _counts(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    names, codes = np.unique(np.concatenate([actual, predicted]), return_inverse=True)
    k = len(names)
    return np.bincount(codes[: len(actual)] * k + codes[len(actual) :], minlength=k * k).reshape(k, k)


def _against_rest(columns) -> tuple[np.ndarray, np.ndarray]:
    """(whether each clip is of each class, its probability), `(clips, classes)` both."""
    p = columns["probabilities"]
    return columns["own"][:, None] == np.arange(p.shape[1]), p


def _shares(columns) -> np.ndarray:
    return np.unique(columns["actual"], return_counts=True)[1] / len(columns["actual"])


def _top(columns, n: int) -> float:
    return min(1.0, n / columns["probabilities"].shape[1])
