"""Macro F1 of resampled groups, from each group's confusions: the draws of `metrics/scores.py` without reading a clip again."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.metrics.intervals import FEWEST, percentiles
from pipelines.metrics.scores import widened


class Confusions:
    """Counts `(groups, classes, classes)` of some predictions, and the draws of groups that all predictions of a run share."""

    def __init__(self, actual: np.ndarray, groups: np.ndarray, shared: Mapping[str, int]):
        self.names, self.actual = np.unique(actual, return_inverse=True)
        _, self.group = np.unique(groups, return_inverse=True)
        self.n_groups = int(self.group.max()) + 1
        rng = np.random.default_rng(shared["seed"])
        drawn = [rng.integers(0, self.n_groups, self.n_groups) for _ in range(shared["n_bootstrap"])]
        # the first row is every group once: the score itself
        self.weights = np.array([np.ones(self.n_groups), *(np.bincount(one, minlength=self.n_groups) for one in drawn)])

    def macro_f1(self, predicted: np.ndarray) -> np.ndarray:
        """Of all clips, then of each draw: `(1 + n_bootstrap,)`. Over the classes that the clips have; a predicted class that no
        clip has is wrong and no class of its own."""
        k = len(self.names)
        place = np.minimum(np.searchsorted(self.names, predicted), k - 1)
        code = np.where(self.names[place] == predicted, place, k)
        counts = np.zeros((self.n_groups, k, k + 1))
        np.add.at(counts, (self.group, self.actual, code), 1)
        right = self.weights @ np.diagonal(counts, axis1=1, axis2=2)
        own, given = self.weights @ counts.sum(axis=2), self.weights @ counts.sum(axis=1)[:, :k]
        there = own > 0
        f1 = np.where(there, 2 * right / np.maximum(own + given, 1), 0)
        return f1.sum(axis=1) / there.sum(axis=1)


def score(
    actual: np.ndarray, answers: Sequence[np.ndarray], groups: np.ndarray, shared: Mapping[str, int]
) -> dict[str, Any]:
    """`macro_f1`, `ci95` over groups (None below four), `trainings`, `sd_trainings`, `n`, `n_groups` of one or several trainings.
    The interval contains the variance over trainings."""
    confusions = Confusions(actual, groups, shared)
    drawn = np.array([confusions.macro_f1(each) for each in answers])
    value, each = float(drawn[:, 0].mean()), drawn[:, 0].tolist()
    spread = statistics.stdev(each) if len(each) > 1 else None
    interval = None
    if confusions.n_groups >= FEWEST:
        interval = widened(
            percentiles(drawn[:, 1:].mean(axis=0)), value, spread**2 / len(each) if spread is not None else 0.0
        )
    found = {"macro_f1": value, "ci95": interval, "trainings": each, "sd_trainings": spread}
    return found | {"n": len(actual), "n_groups": confusions.n_groups}
