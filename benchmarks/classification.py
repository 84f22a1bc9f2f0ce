"""How fast is the choice of hyperparameters? Ratios to scikit-learn's GridSearchCV in the same run, on the notes of the preset.

    conservatory enable notes && conservatory run notes_knn      # the features, which are no part of what is measured
    python benchmarks/classification.py [--json FILE] [--only KEY...] [--models MODEL...]

| key | ours | the peer |
| --- | --- | --- |
| grid | the preset's four models, each fitted with its grid | GridSearchCV over scaling and model, one process |
| grid_all_cores | the same | the same with a process a core |
| selection | the same with 50 features by mutual information | GridSearchCV over scaling, selection, model, one process |
| selection_all_cores | the same | the same with a process a core |
| seconds | of the four models in `grid` (less is better; not a ratio) | |
| chosen | share of models for which both choose the same hyperparameters | |
| predicted | share of test clips for which both predict the same class | |

The peer fits preparation and model again for each candidate, as a pipeline without a cache does; it is told training and
validation clips by `PredefinedSplit`, and the best candidate is fitted once more on the training clips. Neither reads features
nor writes models.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from figures import announce, show

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
sys.path[:0] = [str(Path(__file__).parents[1])]
MODELS = ("knn", "logistic", "svm_rbf", "random_forest")
INPUT = Path("data/features/notes/pooled")
SEED = 2026


def main(only: list[str], models: list[str]) -> Iterator[tuple[str, float]]:
    for key, selection in (("grid", "none"), ("selection", "mutual_information")):
        wanted = {name: jobs for name, jobs in ((key, None), (f"{key}_all_cores", -1)) if not only or name in only}
        if not wanted:
            continue
        measured = [_of_model(model, selection, list(wanted.values())) for model in models]
        ours = sum(one["ours"] for one in measured)
        for name, jobs in wanted.items():
            yield name, sum(one[jobs] for one in measured) / ours
        if key == "grid":
            yield "seconds", ours
            yield "chosen", sum(one["chosen"] for one in measured) / len(measured)
            yield "predicted", sum(one["predicted"] for one in measured) / len(measured)


def _of_model(model: str, selection: str, jobs: list) -> dict:
    """Seconds of `ours` and of the peer with each number of `jobs`, and whether both say the same."""
    from pipelines import tasks
    from pipelines.tasks import part
    from pipelines.tasks.classification import fit, labelled, preparation

    entry = {"task": "classification", "dataset": "notes", "from": "features", "reads": "pooled", "model": model}
    entry |= {"seeds": 1, "target": "family", "selection": selection}
    settings = {"runs": {"bench": entry}, "tasks": {"classification": {"seed": SEED, "n_bootstrap": 100}}}
    run = tasks.run(settings, "bench")
    data, found = labelled.read(run), {}
    begun = time.perf_counter()
    pipeline, candidates, _, number = fit.choose(run, data, SEED)
    found["ours"] = time.perf_counter() - begun
    predicted, chosen = pipeline.predict(data.values[data.of("test")]), candidates[number]
    module = part("classification", f"models.{model}")
    for n_jobs in jobs:
        begun = time.perf_counter()
        best = _peer(module, preparation.steps(run.options, data.names), data, n_jobs)
        found[n_jobs] = time.perf_counter() - begun
    theirs = best.predict(data.values[data.of("test")])
    same = {key: best[-1].get_params().get(key, value) for key, value in chosen.items()} == chosen
    print(
        f"  {model}, selection {selection}: " + ", ".join(f"{key} {value:.1f} s" for key, value in found.items()),
        flush=True,
    )
    return found | {"chosen": same, "predicted": float((predicted == theirs).mean())}


def _peer(module, steps, data, n_jobs):
    """The best pipeline by GridSearchCV, fitted on the training clips."""
    import numpy as np
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.pipeline import Pipeline

    fixed = {key: value for key, value in module.GRID.items() if not isinstance(value, list)}
    grid = {f"model__{key}": value for key, value in module.GRID.items() if isinstance(value, list)}
    pipeline = Pipeline([*steps.steps, ("model", module.create(SEED, **fixed))])
    rows = np.concatenate([data.of("train"), data.of("validation")])
    fold = np.where(data.sides[rows] == "validation", 0, -1)
    search = GridSearchCV(pipeline, grid, scoring="f1_macro", cv=PredefinedSplit(fold), refit=False, n_jobs=n_jobs)
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
