"""Choose hyperparameters on the validation clips: every candidate is fitted on the same prepared clips, on all cores.

A plain `GridSearchCV` over a pipeline fits scaling and selection again for each candidate, though they depend on none. What a
model itself can share between candidates is in its file, as `predictions` (the kernel matrix of `svm_rbf`).

Fits use one thread of BLAS and of OpenMP each, so that the bytes of a model do not depend on the number of cores.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from pipelines.harness import executor
from pipelines.metrics.single_label import macro_f1

Candidate = Mapping[str, Any]
WORTH_S = 2.0
"""Seconds of fitting that are left from which processes are started: each imports scikit-learn first."""


@dataclass(frozen=True)
class Sides:
    """Prepared clips, `(clips, d)`, and the class of each, for training and validation. weights: of training clips, if any."""

    values: np.ndarray
    classes: np.ndarray
    weights: np.ndarray | None
    held: np.ndarray
    held_classes: np.ndarray


def best(module: ModuleType, candidates: Sequence[Candidate], sides: Sides, seed: int) -> tuple[Any, int, list]:
    """(the fitted model, number of its candidate, macro F1 on validation of each). Of equal ones the first; the scores are None
    where there are no validation clips. Raises `TypeError` for a hyperparameter that the model does not have."""
    if not len(sides.held_classes):
        return fitted(module.create, candidates[0], sides, seed), 0, [None] * len(candidates)
    shared = getattr(module, "predictions", None)
    found = shared and len(candidates) > 1 and shared(candidates, sides)
    if found:
        scores = [_score(sides, each) for each in found]
        chosen = int(np.argmax(scores))
        return fitted(module.create, candidates[chosen], sides, seed), chosen, scores
    tried = _tried(module.create, candidates, sides, seed)
    scores = [score for _, score in tried]
    chosen = int(np.argmax(scores))
    return tried[chosen][0], chosen, scores


def fitted(create: Callable, candidate: Candidate, sides: Sides, seed: int) -> Any:
    """The model of one candidate. create: that of the model's file. Trees of a forest are grown on all cores."""
    weights = {} if sides.weights is None else {"sample_weight": sides.weights}
    with threadpool_limits(1), joblib.parallel_config("threading", n_jobs=executor.n_workers()):
        return create(seed, **candidate).fit(sides.values, sides.classes, **weights)


def _tried(create, candidates, sides, seed) -> list[tuple[Any, float]]:
    """(model, validation macro F1) of each candidate; the others in processes, where the first says that this is worth it.

    Threads would share the random generator of liblinear, and the fits would not repeat.
    """
    begun, (first, *others) = time.monotonic(), candidates
    found = [_one(create, first, sides, seed)]
    left, cores = (time.monotonic() - begun) * len(others), executor.n_workers()
    of_one = partial(_one, create, sides=sides, seed=seed)
    in_turn = left < WORTH_S or len(others) < cores
    return [*found, *(map(of_one, others) if in_turn else executor.run(of_one, others))]


def _one(create, candidate, sides, seed) -> tuple[Any, float]:
    model = fitted(create, candidate, sides, seed)
    with threadpool_limits(
        1
    ):  # and one thread of a forest, which adds up its trees' answers in the order in which they come
        return model, _score(sides, model.predict(sides.held))


def _score(sides: Sides, predicted: np.ndarray) -> float:
    """By the metric that is reported: over the classes of the clips, so that an answer of another class is wrong and no class."""
    return macro_f1(sides.held_classes, predicted)
