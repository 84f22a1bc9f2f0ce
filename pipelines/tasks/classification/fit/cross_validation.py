"""Grouped cross-validation, `split: grouped_folds`: every clip is answered once, by a model that was fitted on other folds.

A fold has whole groups (`evaluation/folds.py`). Hyperparameters of a fold's model are chosen inside its training clips, by three
inner folds of whole groups (nested cross-validation: Varma & Simon 2006), so that no clip takes part in the choice of the model
that answers it. With a held-out part instead, a class of few groups would have none to learn from.

The model of the run itself, which `conservatory predict` uses, is fitted on all clips, with hyperparameters chosen in the same
way. It has no score of its own: the scores are those of the models of the folds.
"""

import logging
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from pipelines.core.files import write_json
from pipelines.evaluation import folds
from pipelines.metrics.single_label import macro_f1
from pipelines.tasks import Run, inputs
from pipelines.tasks.classification.fit import answers, choice, labelled, model_file, preparation, relabel, search
from pipelines.tasks.classification.fit.labelled import Labelled

log = logging.getLogger("fit")
INNER = 3
"""Inner folds at most: each multiplies the fits of every outer fold, and a class of three groups is in all of their training."""


def is_folded(run: Run) -> bool:
    """Is the run scored by cross-validation? Its test on another dataset is not."""
    return run.options["split"] == labelled.FOLDS and not run.fitted_by


def parts(run: Run, data: Labelled) -> list[Labelled]:
    """The data of each fold: its clips are the side `test`, all others `train`.

    Folds are drawn from all clips of the dataset that have a class: a clip is in the same fold in all runs, whatever they read.
    Raises `ValueError` where there are fewer groups than folds, a class is in one group only, or in one fold only.
    """
    everything = inputs.manifest(run)
    of_all = relabel.mapped(run, inputs.labels(run, everything, run.options["target"]))
    everything, of_all = everything[of_all != ""], of_all[of_all != ""]
    wanted, n_groups = run.options["folds"], everything["group"].nunique()
    if not 2 <= wanted <= n_groups:
        raise ValueError(
            f"folds of {run.name} is {wanted}, and the clips of {run.dataset!r} are of {n_groups} groups: name 2 to {n_groups}"
        )
    _check_groups(run, data)
    numbers = np.unique(of_all, return_inverse=True)[1]
    drawn = folds.folds(numbers, everything["group"].to_numpy(str), wanted, run.shared["seed"])
    fold = labelled.of_clips(data.clips, everything, drawn)
    found = [replace(data, sides=np.where(fold == number, "test", "train")) for number in range(wanted)]
    for number, each in enumerate(found):
        train, test = (set(each.classes[each.of(side)].tolist()) for side in ("train", "test"))
        if not test:
            raise ValueError(f"fold {number + 1} of {run.name} has no clips that {run.input} has: name fewer folds")
        if unknown := sorted(test - train):
            raise ValueError(
                f"fold {number + 1} of {run.name} has all clips of {', '.join(map(repr, unknown))}, which its model would not "
                f"know: leave the class out with null under `labels` of {run.name}"
            )
    return found


def fit(run: Run, seed: int, folder: Path) -> dict:
    """Writes fold-<number>.skops, from 0, model.skops of all clips, and config.json: classes, and of the model of all clips the
    hyperparameters, temperature and scores of all that were tried; `folds` has the same of each fold's model."""
    if run.options["learning_curve"]:
        raise ValueError(
            f"learning_curve is of one split, and {run.name} has `split: {labelled.FOLDS}`: leave one of them out"
        )
    data = labelled.read(run)
    each = parts(run, data)
    found, begun = [], time.monotonic()
    for number, one in enumerate(each):
        found.append(_fit(run, one, seed, folder / f"fold-{number}.skops"))
        took = time.monotonic() - begun
        left = took / (number + 1) * (len(each) - number)  # one more is fitted on all clips
        log.info("%s: fold %d/%d, %.1f s, about %.0f s left", run.name, number + 1, len(each), took, left)
    config = _fit(run, replace(data, sides=np.full(len(data.clips), "train")), seed, folder / "model.skops")
    write_json(folder / "config.json", config | {"folds": found})
    figures = {"clips": len(data.clips), "classes": len(config["classes"]), "features": config["features"]}
    return figures | {"folds": len(each)} | config["parameters"] | labelled.without_label(run, data)


def inner_scores(run: Run, data: Labelled, candidates: list[dict], seed: int) -> list[float]:
    """The macro F1 of each candidate on the training clips, each clip answered by a model of the other inner folds."""
    train, module = data.of("train"), choice.module_of(run)
    said = np.empty((len(candidates), len(train)), dtype=data.classes.dtype)
    for rows, held in _inner(run, data, seed):
        _, sides = choice.prepared(run, data, train[rows], train[held], seed)
        with choice.named(run, candidates):
            for place, (_, answer) in enumerate(search.tried(module, candidates, sides, seed)):
                said[place, held] = answer
    return [macro_f1(data.classes[train], each) for each in said]


def _fit(run: Run, data: Labelled, seed: int, path: Path) -> dict:
    """Writes the pipeline of the training clips; what config.json says of it."""
    train, imbalance = data.of("train"), run.options["imbalance"]
    inner = _inner(run, data, seed)
    fitted_on = [train[rows] for rows, _ in inner] or [train]
    fewest = min(len(preparation.training_rows(rows, data.classes, imbalance, seed)) for rows in fitted_on)
    module, candidates = choice.candidates(run, fewest, len(train) if inner else 0, seed)
    scores = inner_scores(run, data, candidates, seed) if len(candidates) > 1 else [None]
    chosen = candidates[int(np.argmax(scores)) if len(scores) > 1 else 0]
    before, sides = choice.prepared(run, data, train, train[:0], seed)
    with choice.named(run, candidates):
        model = search.fitted(module.create, chosen, sides, seed)
    model_file.save(Pipeline([*before.steps, ("model", model)]), path)
    return {
        "classes": model.classes_.tolist(),
        "parameters": chosen,
        "temperature": _temperature(run, data, model, chosen, seed),
        "tried": [{"validation_macro_f1": f1, **one} for f1, one in zip(scores, candidates, strict=True)],
        "features": model.n_features_in_,
    }


def _inner(run: Run, data: Labelled, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(places among the training clips to fit on, places that are answered) of each inner fold. Empty where the
    training clips have one group, or the clips to fit on of an inner fold one class."""
    train = data.of("train")
    groups, classes = data.clips["group"].to_numpy(str)[train], data.classes[train]
    if len(set(groups)) < 2:
        return []
    fold = folds.folds(np.unique(classes, return_inverse=True)[1], groups, INNER, seed)
    found = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(fold.max() + 1)]
    return found if all(len(set(classes[rows])) > 1 for rows, _ in found) else []


def _temperature(run: Run, data: Labelled, model, chosen: dict, seed: int) -> float:
    """Of the softmax of a model's scores, by the models of the inner folds. 1.0 for a model that has probabilities."""
    if hasattr(model, "predict_proba"):
        return 1.0
    train, module = data.of("train"), choice.module_of(run)
    scores = np.full((len(train), len(model.classes_)), -np.inf)
    for rows, held in _inner(run, data, seed):
        _, sides = choice.prepared(run, data, train[rows], train[held], seed)
        one = search.fitted(module.create, chosen, sides, seed)
        scores[np.ix_(held, np.searchsorted(model.classes_, one.classes_))] = answers.decisions(one, sides.held)
    own = np.searchsorted(model.classes_, data.classes[train])
    known = np.isfinite(scores[np.arange(len(train)), own])  # the class of the others was in no other inner fold
    return answers.temperature(scores[known], own[known])


def _check_groups(run: Run, data: Labelled) -> None:
    groups = data.clips.assign(own=data.classes).groupby("own")["group"].unique()
    counts = Counter(data.classes.tolist())
    if len(counts) < 2:
        raise ValueError(
            f"target {run.options['target']!r} of {run.dataset!r} has {len(counts)} class with clips; at least two are needed"
        )
    lone = [f"{name!r} ({counts[name]} clips of {own[0]})" for name, own in groups.items() if len(own) < 2]
    if lone:
        raise ValueError(
            f"{len(lone)} classes of target {run.options['target']!r} have one group only, so that no other fold could teach "
            f"them: {', '.join(lone[:5])}; leave them out with null under `labels` of {run.name}"
        )
