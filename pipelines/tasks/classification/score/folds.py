"""Scores of a run with `split: grouped_folds`: every clip answered by the model of its fold, and the guards fold by fold.

All answers are scored together, and the groups of all folds are resampled: the five values of five folds share most of their
training clips, and their spread is no standard error (Bengio & Grandvalet 2004). ROC-AUC and mAP rank probabilities of several
models together (Forman & Scholz 2010), which lowers them a little.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from pipelines.core.files import read_json
from pipelines.core.plain import some
from pipelines.metrics.single_label import macro_f1
from pipelines.tasks import Run
from pipelines.tasks.classification.fit import answers, cross_validation, model_file
from pipelines.tasks.classification.fit.labelled import Labelled
from pipelines.tasks.classification.score import guards, noise, recordings, selection_guard

SOME = 3
"""Folds whose sentence a guard repeats."""


def pipelines(folder: Path, n_folds: int) -> list[Pipeline]:
    """The fitted pipeline of each fold."""
    return [model_file.load(folder / f"fold-{number}.skops") for number in range(n_folds)]


def probabilities(run: Run, folder: Path, data: Labelled) -> np.ndarray:
    """`(clips, classes)` of all clips, each by the model of its fold."""
    config, parts = read_json(folder / "config.json"), cross_validation.parts(run, data)
    found = np.zeros((len(data.clips), len(config["classes"])))
    for part, pipeline, one in zip(parts, pipelines(folder, len(parts)), config["folds"], strict=True):
        rows = part.of("test")
        values = pipeline[:-1].transform(data.values[rows])
        found[rows] = answers.probabilities(pipeline[-1], values, one["temperature"])
    return found


def predictor(run: Run, folder: Path, data: Labelled):
    """A function of the values of all clips, `(clips, d)` in the order of the data: the class of each by its fold's model."""
    parts = cross_validation.parts(run, data)
    fitted = pipelines(folder, len(parts))

    def predict(values: np.ndarray) -> np.ndarray:
        found = np.empty(len(values), dtype=data.classes.dtype)
        for part, pipeline in zip(parts, fitted, strict=True):
            found[part.of("test")] = pipeline.predict(values[part.of("test")])
        return found

    return predict


def each(run: Run, folder: Path, data: Labelled, columns: dict) -> list[dict]:
    """Of each fold: `clips`, `groups`, `macro_f1` over its classes, `accuracy`, and the `parameters` of its model."""
    found = []
    config = read_json(folder / "config.json")
    for part, one in zip(cross_validation.parts(run, data), config["folds"], strict=True):
        rows = part.of("test")
        actual, predicted = columns["actual"][rows], columns["predicted"][rows]
        found.append(
            {
                "clips": len(rows),
                "groups": part.clips["group"].iloc[rows].nunique(),
                "macro_f1": macro_f1(actual, predicted),
                "accuracy": float(np.mean(actual == predicted)),
                "parameters": one["parameters"],
            }
        )
    return found


def checks(run: Run, data: Labelled) -> dict[str, guards.Check]:
    """The guards of one split, of each fold with its model, as one sentence each; of the first training."""
    seed, folder = run.trainings[0]
    config, parts = read_json(folder / "config.json"), cross_validation.parts(run, data)
    found: dict[str, list[guards.Check]] = {}
    for part, pipeline, one in zip(parts, pipelines(folder, len(parts)), config["folds"], strict=True):
        of_fold = guards.all_of(part, pipeline, run.options, seed)
        of_fold |= guards.enough(part, ("train",))
        of_fold["validation has every class"] = inner_classes(part, one)
        of_fold["chosen on validation clips"] = selection_guard.on_inner_folds(run, part, one, seed)
        of_fold["no recording on two sides"] = recordings.check(run, part, seed)
        of_fold["answers survive inaudible noise"] = noise.check(run, part, pipeline.predict, seed)
        for name, check in of_fold.items():
            found.setdefault(name, []).append(check)
    told = {name: together(of_folds) for name, of_folds in found.items()}
    # a fold may well have no clip of a rare class: all folds together are what is scored
    for name, scored in guards.enough(data, ("test",)).items():
        told[name] = scored if scored[0] is not True else told[name]
    return told


def inner_classes(part: Labelled, config: dict) -> guards.Check:
    """Could the inner folds of a fold, where they chose hyperparameters, teach every class? One of a single group they cannot."""
    if len(config["tried"]) < 2:
        return True, "there was one candidate: nothing was chosen"
    train = part.of("train")
    pairs = set(zip(part.classes[train].tolist(), part.clips["group"].iloc[train].tolist(), strict=True))
    lone = sorted(name for name, n in Counter(name for name, _ in pairs).items() if n < 2)
    return not lone, (
        f"hyperparameters were chosen by inner folds, and {len(lone)} of {len(config['classes'])} classes have one group among "
        f"the training clips, so that no inner model knows them when it answers them{some(lone, ': ')}"
    )


def together(found: list[guards.Check]) -> guards.Check:
    """A guard of all folds: it fails where one fails, and is unknown where one is unknown and none fails."""
    outcomes = [passed for passed, _ in found]
    passed = False if False in outcomes else None if None in outcomes else True
    told = [(number, text) for number, (one, text) in enumerate(found, 1) if one is passed]
    if len({text for _, text in told}) == 1 and len(told) == len(found):
        return passed, f"every fold: {told[0][1]}"
    more = "; ..." if len(told) > SOME else ""
    counted = f"{len(told)} of {len(found)} folds fail: " if passed is False else ""
    return passed, counted + "; ".join(f"fold {number}: {text}" for number, text in told[:SOME]) + more
