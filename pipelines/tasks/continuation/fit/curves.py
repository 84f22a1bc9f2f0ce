"""Accuracy of pairs by kind: areas under curves of a score, as scikit-learn defines them, fast enough for a bootstrap."""

import numpy as np
from scipy.stats import rankdata

from pipelines.tasks.continuation.fit.pairs import KINDS, TRUE


def of_kind(kind: np.ndarray, name: str) -> np.ndarray:
    """`(n,)`: the pairs that the kind `name` of negatives is scored on, the continuations among them."""
    return (kind == TRUE) | (kind == name)


def roc_auc(true: np.ndarray, score: np.ndarray) -> float:
    """The share of (continuation, other) pairs that the score ranks so, ties as half (Mann and Whitney 1947); NaN of one
    class."""
    n, others = true.sum(), (~true).sum()
    if not n or not others:
        return float("nan")
    return float((rankdata(score)[true].sum() - n * (n + 1) / 2) / (n * others))


def average_precision(true: np.ndarray, score: np.ndarray) -> float:
    """The sum of precision at each threshold times the gain in recall, equal scores being one threshold; NaN of one class."""
    n = true.sum()
    if not n or n == len(true):
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(true[order])[ends]
    return float(np.sum(np.diff(hits, prepend=0) / n * hits / (ends + 1)))


def mean_roc_auc(kind: np.ndarray, score: np.ndarray) -> float:
    """The mean of `roc_auc` over the kinds of negatives."""
    each = [(kind[rows] == TRUE, score[rows]) for rows in (of_kind(kind, name) for name in KINDS)]
    return float(np.mean([roc_auc(*one) for one in each]))


def threshold(kind: np.ndarray, score: np.ndarray) -> float:
    """The lowest score to be called a continuation, with the highest accuracy, a mean over the kinds; of equal ones the
    lowest."""
    order = np.argsort(score, kind="stable")
    _, number, counts = np.unique(kind, return_inverse=True, return_counts=True)
    weight = np.where(kind == TRUE, 1.0, -1 / len(KINDS)) / counts[number]
    # what is gained by calling all from here on a continuation, at the first of equal scores
    gained = np.cumsum(weight[order][::-1])[::-1]
    first = np.append(True, np.diff(score[order]) > 0)
    return float(score[order][np.where(first, gained, -np.inf).argmax()])
