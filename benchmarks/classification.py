"""How fast is the choice of hyperparameters? Ratios to scikit-learn's GridSearchCV in the same run, on the notes of the preset.

    conservatory enable notes && conservatory run notes_knn      # the features, which are no part of what is measured
    python benchmarks/classification.py [--json FILE] [--only KEY...] [--models MODEL...]

| key | ours | the peer |
| --- | --- | --- |
| grid | the preset's four models, each fitted with its grid, on one core | GridSearchCV over scaling and model, one process |
| grid_all_cores | the same on all cores | the same with a process a core |
| selection | `grid` with 50 features by mutual information | GridSearchCV over scaling, selection, model, one process |
| selection_all_cores | the same on all cores | the same with a process a core |
| seconds | of the four models in `grid` (less is better; not a ratio) | |
| chosen | share of models for which both choose the same hyperparameters | |
| predicted | share of test clips for which both predict the same class | |

`grid`, `selection` and `seconds` are processor time of one process, one thread a library; `*_all_cores` are wall time, which says
little beside other work. Both choose by `metrics/single_label.py`'s macro F1, over the classes of the validation clips.

The peer fits preparation and model again for each candidate, as a pipeline without a cache does; it is told training and
validation clips by `PredefinedSplit`, and the best candidate is fitted once more on the training clips. Neither reads features
nor writes models.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from figures import announce, show

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
sys.path[:0] = [str(Path(__file__).parents[1])]
MODELS = ("knn", "logistic", "svm_rbf", "random_forest")
INPUT = Path("data/features/notes/pooled")
SEED = 2026
ONE, ALL = "one core", "all cores"
CLOCKS = {ONE: time.process_time, ALL: time.perf_counter}
"""Processes of `ALL` are others than this one, whose processor time is not counted."""


def main(only: list[str], models: list[str]) -> Iterator[tuple[str, float]]:
    for key, selection in (("grid", "none"), ("selection", "mutual_information")):
        names = {key: ONE, f"{key}_all_cores": ALL}
        wanted = {name: cores for name, cores in names.items() if not only or name in only}
        if not wanted:
            continue
        measured = [_of_model(model, selection, list(wanted.values())) for model in models]
        for name, cores in wanted.items():
            yield name, sum(one[cores]["peer"] for one in measured) / sum(one[cores]["ours"] for one in measured)
        if key == "grid":
            if key in wanted:
                yield "seconds", sum(one[ONE]["ours"] for one in measured)
            yield "chosen", sum(one["chosen"] for one in measured) / len(measured)
            yield "predicted", sum(one["predicted"] for one in measured) / len(measured)


def _of_model(model: str, selection: str, asked: list[str]) -> dict:
    """Seconds of `ours` and of the `peer` on the cores that are asked for, and whether both say the same."""
    from pipelines import tasks
    from pipelines.harness import executor
    from pipelines.tasks import part
    from pipelines.tasks.classification import fit
    from pipelines.tasks.classification.fit import labelled, preparation

    entry = {"task": "classification", "dataset": "notes", "from": "features", "reads": "pooled", "model": model}
    entry |= {"seeds": 1, "target": "family", "selection": selection}
    settings = {"runs": {"bench": entry}, "tasks": {"classification": {"seed": SEED, "n_bootstrap": 100}}}
    run = tasks.run(settings, "bench")
    data, found = labelled.read(run), {}
    module, every = part("classification", f"models.{model}"), executor.n_workers
    for cores in asked:
        executor.n_workers = (lambda wanted=0: 1) if cores == ONE else every
        ours, (pipeline, candidates, _, number) = _took(CLOCKS[cores], lambda: fit.choose(run, data, SEED))
        executor.n_workers = every
        steps, n_jobs = preparation.steps(run.options, data.names), None if cores == ONE else -1
        theirs, best = _took(CLOCKS[cores], lambda s=steps, n=n_jobs: _peer(module, s, data, n))
        found[cores] = {"ours": ours, "peer": theirs}
        print(f"  {model}, selection {selection}, {cores}: ours {ours:.1f} s, peer {theirs:.1f} s", flush=True)
    predicted, chosen = pipeline.predict(data.values[data.of("test")]), candidates[number]
    theirs = best.predict(data.values[data.of("test")])
    same = {key: best[-1].get_params().get(key, value) for key, value in chosen.items()} == chosen
    return found | {"chosen": same, "predicted": float((predicted == theirs).mean())}


def _took(clock: Callable[[], float], work: Callable):
    """(seconds, what it gives)."""
    begun = clock()
    found = work()
    return clock() - begun, found


def _peer(module, steps, data, n_jobs):
    """The best pipeline by GridSearchCV, fitted on the training clips."""
    import numpy as np
    from sklearn.base import clone
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.pipeline import Pipeline

    from pipelines.metrics.single_label import macro_f1

    fixed = {key: value for key, value in module.GRID.items() if not isinstance(value, list)}
    grid = {f"model__{key}": value for key, value in module.GRID.items() if isinstance(value, list)}
    pipeline = Pipeline([*steps.steps, ("model", module.create(SEED, **fixed))])
    rows = np.concatenate([data.of("train"), data.of("validation")])
    fold = np.where(data.sides[rows] == "validation", 0, -1)
    scoring, cv = make_scorer(macro_f1), PredefinedSplit(fold)
    search = GridSearchCV(pipeline, grid, scoring=scoring, cv=cv, refit=False, n_jobs=n_jobs)
    search.fit(data.values[rows], data.classes[rows])
    return (
        clone(pipeline)
        .set_params(**search.best_params_)
        .fit(data.values[data.of("train")], data.classes[data.of("train")])
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the ratios to this file")
    parser.add_argument("--only", nargs="+", default=[], help="these keys alone")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    arguments = parser.parse_args()
    if INPUT.is_dir():
        announce("classification.py: choice of hyperparameters beside GridSearchCV", "8 minutes")
        show(main(arguments.only, arguments.models), arguments.json)
    else:
        print(
            f"classification.py: not measured without {INPUT}: conservatory enable notes && conservatory run notes_knn"
        )
