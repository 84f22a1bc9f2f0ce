"""Fit a classifier of scikit-learn on the features of pairs, with the hyperparameters that are best on the validation pairs."""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from pipelines.tasks import estimators
from pipelines.tasks.continuation.fit import curves, features, pairs

DRAWS = 4
"""How often other windows are drawn for the training pairs."""
TRUSTED: list[str] = []


def fit(
    create: Callable[..., ClassifierMixin],
    grid: Mapping[str, Sequence],
    train: pairs.Windows,
    validation: pairs.Pairs,
    options: Mapping,
    seed: int,
    folder: Path,
) -> dict:
    """Writes model.skops: a scaling fitted on training pairs, and `create(seed, **parameters)` fitted on them. Figures: the
    chosen parameters, `pairs` and `features`. Raises `ValueError` where `leave_out` names no feature, or all."""
    rng = np.random.default_rng(seed)
    drawn = [pairs.draw(train, options["negatives"] == "balanced", rng) for _ in range(DRAWS)]
    values = np.concatenate([features.of_pairs(*each.grids()) for each in drawn])
    true = np.concatenate([each.true for each in drawn])
    before = make_pipeline(_columns(options["leave_out"]), StandardScaler())
    values, held = before.fit_transform(values), before.transform(features.of_pairs(*validation.grids()))
    best = None
    for parameters in ParameterGrid(grid):
        model = create(seed, **parameters).fit(values, true)
        found = curves.mean_roc_auc(validation.kind, model.predict_proba(held)[:, 1])
        if best is None or found > best[0]:  # of equal ones the first
            best = found, parameters, model
    estimators.save(Pipeline([*before.steps, ("model", best[2])]), folder / "model.skops")
    return {"pairs": len(true), "features": values.shape[1], **best[1]}


def load(folder: Path, options: Mapping) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """`score(a, b)`: `(n,)` probabilities that B continues A, of windows `(n, steps, 8)`."""
    pipeline = estimators.load(folder / "model.skops", TRUSTED)
    return lambda a, b: pipeline.predict_proba(features.of_pairs(a, b))[:, 1]


def _columns(patterns: Sequence[str]) -> ColumnTransformer:
    """The features whose names match none of the patterns."""
    names = features.names()
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"leave_out: no feature is called {pattern}; there is {names[0]}, ..., {names[-1]}")
    left = [n for n, name in enumerate(names) if not any(fnmatch.fnmatchcase(name, each) for each in patterns)]
    if not left:
        raise ValueError(f"leave_out: {', '.join(patterns)} leaves out all {len(names)} features")
    return ColumnTransformer([("kept", "passthrough", left)])
