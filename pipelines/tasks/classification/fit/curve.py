"""The learning curve of a run: macro F1 on the same test clips after fits on nested parts of the training clips.

A part has whole groups: of each class the first of its groups in an order drawn by the seed, one at least, so that every larger
part contains the smaller ones. Each part has its own scaling and selection; hyperparameters are those chosen with all clips.
"""

from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from pipelines.tasks import part
from pipelines.tasks.classification.fit import grid, labelled, model_file, preparation, resampling, search


def nested(groups: np.ndarray, classes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The rows of a part, of clips with these groups and classes; a group counts for the class that most of its clips have."""
    names, number = np.unique(groups, return_inverse=True)
    labels, code = np.unique(classes, return_inverse=True)
    counts = np.zeros((len(names), len(labels)), int)
    np.add.at(counts, (number, code), 1)
    of_group, order = counts.argmax(axis=1), np.random.default_rng(seed).permutation(len(names))
    taken = np.zeros(len(names), bool)
    for label in range(len(labels)):
        own = order[of_group[order] == label]
        taken[own[: int(np.ceil(share * len(own) - 1e-9))]] = True
    return np.flatnonzero(taken[number])


def fit(run, data: labelled.Labelled, chosen: dict, seed: int, folder: Path) -> None:
    """Write the pipeline of each part that is smaller than all, `curve-<share>.skops`. Raises `ValueError` where a part has one
    class only."""
    module, train, imbalance = part(run.task, f"models.{run.model}"), data.of("train"), run.options["imbalance"]
    for share in _smaller(run):
        rows = train[_rows(data, share, seed)]
        rows = preparation.training_rows(rows, data.classes, imbalance, seed)
        classes = data.classes[rows]
        if len(set(classes)) < 2:
            raise ValueError(f"learning_curve: {share:g} of the training clips have one class only; name larger shares")
        grid.check(module, [chosen], len(rows))
        before = preparation.steps(run.options, data.names).fit(data.values[rows], classes)
        values = before.transform(data.values[rows])
        sides = search.Sides(values, classes, preparation.weights(classes, imbalance), values[:0], classes[:0])
        model = search.fitted(module.create, chosen, sides, seed)
        model_file.save(Pipeline([*before.steps, ("model", model)]), folder / f"curve-{share:g}.skops")


def scores(run, data: labelled.Labelled, predicted: list[np.ndarray]) -> list[dict]:
    """A point of each share and one of all clips: `share`, `clips` and `groups` of training (of the first training), and
    `resampling.score`. predicted: of each training, the classes of the test clips by the run's own model."""
    test, groups = data.of("test"), data.clips["group"].to_numpy(str)
    seeds = [seed for seed, _ in run.trainings]
    found = []
    for share in [*_smaller(run), 1.0] if run.options["learning_curve"] else []:
        answers = predicted
        if share < 1:
            files = [folder / f"curve-{share:g}.skops" for _, folder in run.trainings]
            answers = [model_file.load(file).predict(data.values[test]) for file in files]
        rows = data.of("train")[_rows(data, share, seeds[0])]
        point = {"share": share, "clips": len(rows), "groups": len(set(groups[rows]))}
        found.append(point | resampling.score(data.classes[test], answers, groups[test], run.shared))
    return found


def _smaller(run) -> list[float]:
    return sorted({float(share) for share in run.options["learning_curve"]} - {1.0})


def _rows(data: labelled.Labelled, share: float, seed: int) -> np.ndarray:
    train = data.of("train")
    return nested(data.clips["group"].to_numpy(str)[train], data.classes[train], share, seed)
