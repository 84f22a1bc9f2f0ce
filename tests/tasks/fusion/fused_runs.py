"""Answers of runs as the stage `score` leaves them: what tests of fusion read."""

from pathlib import Path

import numpy as np

from pipelines.core.files import write_json
from pipelines.metrics import single_label
from pipelines.stages.score import _write as write
from pipelines.tasks import Run

CLASSES = ("brass", "reed", "string")
SEED = 7


def answers(name, seed=1, n=60, sharp=1.5, without=(), classes=CLASSES, trainings=1, groups=(True, ""), **changed):
    """Answers of a run to `n` test and `n` validation clips, three a group: noise plus `sharp` for the true class. without:
    numbers of test clips that it does not answer. groups: its guard of groups, None for answers without it. changed:
    columns of the test clips."""
    folder = Path("data/answers/made/classification") / name
    about = {"classes": list(classes), "priors": [0.5, 0.3, 0.2][: len(classes)]}
    write_json(folder / "about.json", about | ({"groups": groups} if groups else {}))
    for training in range(trainings):
        for side, first in (("test", 0), ("validation", 1000)):
            rng = np.random.default_rng([seed, training, first])
            number = np.arange(first, first + n)
            own = number // 3 % len(classes)
            p = np.exp(rng.normal(size=(n, len(classes))) + sharp * (np.arange(len(classes)) == own[:, None]))
            unit, group = (
                np.array([f"{letter}{n:04d}" for n in each]) for letter, each in (("u", number), ("g", number // 3))
            )
            actual = np.array(classes)[own]
            columns = single_label.columns(unit, group, actual, np.array(classes), p / p.sum(axis=1, keepdims=True))
            if side == "test":
                columns |= changed
            kept = ~np.isin(np.arange(n), without if side == "test" else ())
            write(folder / f"{side}-{2026 + training}.parquet", {key: value[kept] for key, value in columns.items()})


def run(model, runs=("audio", "words"), trainings=1):
    """A fusion of runs, with its trainings in models/."""
    folders = tuple((SEED + number, Path("models") / model / str(number)) for number in range(trainings))
    for _, folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return Run(
        name="late",
        task="fusion",
        dataset="made",
        model=model,
        input=Path("data/answers/made/classification"),
        trainings=folders,
        options={"runs": list(runs)},
        shared={"seed": SEED, "n_bootstrap": 50},
    )
