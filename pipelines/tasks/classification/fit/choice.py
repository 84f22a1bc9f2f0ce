"""What every fit of a classic model begins with: prepared clips, and the candidates to choose from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from pipelines.tasks import Run, part
from pipelines.tasks.classification.fit import grid, preparation, search
from pipelines.tasks.classification.fit.labelled import Labelled


def prepared(run: Run, data: Labelled, rows: np.ndarray, held: np.ndarray, seed: int) -> tuple[Pipeline, search.Sides]:
    """(scaling and selection fitted on `rows`, the clips that they prepare). rows: to fit on, before `imbalance` draws among
    them. held: the clips that choose; may be empty. Fitted once: preparation does not depend on the model's hyperparameters."""
    imbalance = run.options["imbalance"]
    rows = preparation.training_rows(rows, data.classes, imbalance, seed)
    classes = data.classes[rows]
    before = preparation.steps(run.options, data.names).fit(data.values[rows], classes)
    values = before.transform(data.values[rows])
    there = before.transform(data.values[held]) if len(held) else values[:0]
    return before, search.Sides(values, classes, preparation.weights(classes, imbalance), there, data.classes[held])


def candidates(run: Run, n_clips: int, n_held: int, seed: int) -> tuple[ModuleType, list[dict]]:
    """(the model's file, its hyperparameters to choose from). n_clips: training clips; n_held: those that choose. Raises
    `ValueError` where there is a choice and nothing to choose with, or the model takes no class weights."""
    module = module_of(run)
    found = grid.choices(module.GRID | run.options["parameters"], n_held)
    grid.check(module, found, n_clips)
    weighted = run.options["imbalance"] == "class_weights"
    if weighted and not has_fit_parameter(module.create(seed), "sample_weight"):
        raise ValueError(
            f"model {run.model} takes no class weights: use `imbalance: subsampling`, or none, or another model"
        )
    return module, found


def module_of(run: Run) -> ModuleType:
    """The file of the run's model."""
    return part(run.task, f"models.{run.model}")


@contextmanager
def named(run: Run, found: Sequence[dict]) -> Iterator[None]:
    """A hyperparameter that the model does not have is a `ValueError` that names the model."""
    try:
        yield
    except TypeError as error:
        raise ValueError(f"model {run.model} with {found[0] or 'no parameters'}: {error}") from error
