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
    """Prepared clips, `(clips, d)`, and the class of each (of several labels `(clips, labels)`), for training and validation.
    weights: of training clips, if any."""

    values: np.ndarray
    classes: np.ndarray
    weights: np.ndarray | None
    held: np.ndarray
    held_classes: np.ndarray


def predicted(model: Any, values: np.ndarray) -> np.ndarray:
    """The class of each clip."""
    return model.predict(values)


def best(
    module: ModuleType,
    candidates: Sequence[Candidate],
    sides: Sides,
    seed: int,
    answer: Callable = predicted,
    score: Callable = macro_f1,
) -> tuple[Any, int, list]:
    """(the fitted model, number of its candidate, score on validation of each). Of equal ones the first; the scores are None
    where there are no validation clips. answer: (model, values) -> what `score(truth, answers)` takes, by default classes and the
    macro F1 that is reported. Raises `TypeError` for a hyperparameter that the model does not have."""
    if not len(sides.held_classes):
        return fitted(module.create, candidates[0], sides, seed), 0, [None] * len(candidates)
    found = tried(module, candidates, sides, seed, answer)
    scores = [score(sides.held_classes, said) for _, said in found]
    chosen = int(np.argmax(scores))
    model = found[chosen][0]
    return (
        fitted(module.create, candidates[chosen], sides, seed) if model is None else model,
        chosen,
        scores,
    )


def tried(module, candidates, sides, seed, answer: Callable = predicted) -> list[tuple[Any, np.ndarray]]:
    """(model, its answers to the validation clips) of each candidate; the model is None where candidates share their work. The
    others are fitted in processes, where the first says that this is worth it.

    Threads would share the random generator of liblinear, and the fits would not repeat.
    """
    shared = getattr(module, "predictions", None)
    if shared and len(candidates) > 1 and (found := shared(candidates, sides)):
        return [(None, each) for each in found]
    begun, (first, *others) = time.monotonic(), candidates
    of_one = partial(_one, module.create, sides=sides, seed=seed, answer=answer)
    found = [of_one(first)]
    left, cores = (time.monotonic() - begun) * len(others), executor.n_workers()
    in_turn = left < WORTH_S or len(others) < cores
    return [*found, *(map(of_one, others) if in_turn else executor.run(of_one, others))]


def fitted(create: Callable, candidate: Candidate, sides: Sides, seed: int) -> Any:
    """The model of one candidate. create: that of the model's file. Trees of a forest are grown on all cores."""
    weights = {} if sides.weights is None else {"sample_weight": sides.weights}
    with threadpool_limits(1), joblib.parallel_config("threading", n_jobs=executor.n_workers()):
        return create(seed, **candidate).fit(sides.values, sides.classes, **weights)


def _one(create, candidate, sides, seed, answer) -> tuple[Any, np.ndarray]:
    model = fitted(create, candidate, sides, seed)
    with threadpool_limits(
        1
    ):  # and one thread of a forest, which adds up its trees' answers in the order in which they come
        return model, answer(model, sides.held)
