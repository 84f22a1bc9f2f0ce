"""Families of tasks, a folder each; a run is an entry of `runs` in params.yaml that names its family.

    runs:
      notes_svm: {task: classification, dataset: notes, from: features, reads: pooled, model: svm_rbf, seeds: 1, target: family}

`task` is the family. The run reads `data/<from>/<dataset>/<reads>`: `from: features, reads: pooled` a representation, `from:
embeddings, reads: short.parquet` an embedding. `model` is a file of the family, and `seeds` the number of trainings, whose spread
the scores state. Every other key is an option of the family. What all runs of a family share (`n_bootstrap`, `seed`) is in
`tasks.<family>` of params.yaml. A tagger is a run too, of the family `tagging` (pipelines/tasks/tagging/__init__.py).

A fitted run is tested on another dataset by an entry of `cross_tests`, with the run's own keys but for the dataset:

    cross_tests:
      notes_svm_real: {run: notes_svm, task: classification, dataset: real_notes, from: features, reads: pooled, model: svm_rbf,
                       labels: {harp: string, xylophone: null}}

It is a `Run` too, whose trainings are those of `run`. The family's `read` finds the clips of the other dataset, and `labels` maps
their labels to the run's classes (null leaves them out). A family without the option `labels` takes no cross tests.

A family has the same files as every other:

| file | contains |
| --- | --- |
| `__init__.py` | a docstring, whose first line describes the family; `OPTIONS`, option of a run -> (default, what it may be) |
| | `FROM`: what `from` of its runs may be, where it is neither features nor embeddings: `raw` (stems) |
| `models/<name>.py` | a model each |
| `fit/` | `fit(run, seed, folder) -> figures`: fits the run's model on training clips and saves it in `folder` |
| `score/` | `METRICS`, the leading one first; `predict(run, folder)` and `baseline(run)`: columns (`metrics/scores.py`) |
| `section/` | `TITLE`, `ORDER` and `render(context)`: what the family's page shows below its table of scores |
| `predict.py` | what `conservatory predict` says of new files by a run; a family may have none (see below) |
| `presets.yaml` | what `conservatory enable` can add; a family may have none |

`fit`, `score` and `section` are packages, whose `__init__.py` has these names. `score` may also have `metrics(run)`, in place of
`METRICS` where a family has several kinds of runs, `split(run)`, what is scored where that is not `test`, `details(run,
answers)`, which become data/scores/<run>/details.json, and `plots(details)` and `checks(run, answers)` for the record. A module
that fitting loads lies in `fit/`; one that only scoring loads in `score/`; a template and its module in `section/`. The stage
`fit` depends on `fit/` and on the one model of the run, `score` on `score/` too, and the page on `section/`. So an edit of a
model refits the runs that use it, an edit in `score/` scores them again, and an edit in `section/` draws the page again.

`score` of a family whose runs can be fused (pipelines/tasks/fusion) has `validation(run, folder)`: the model's `classes` and
their shares of the training clips (`priors`), and the columns of the validation clips, with `probabilities`; None of a run that
cannot. The stage `score` writes both, and the columns of the test clips, into the folder `answers(run)`.

`predict.py` has `predict(run, folder, new, clip_ids)`: an answer for each of `clip_ids`, by the fitted model in `folder`. `new`
has the form of `run.input`, but is of files in no dataset (pipelines/predict/runs.py computes it). An answer is a table of
plain numbers and words, which `conservatory predict --json` writes; `outside_training_music` (true or false) is optional.
`line(answer, top)` is the answer for a person, in one line with at most `top` items.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pipelines.core import paths

FOLDER = Path(__file__).parent
TAGGING = "tagging"
KEYS = ("task", "dataset", "from", "reads", "model", "seeds")
"""Keys that every run has, because dvc.yaml reads them."""


class NotScored(ValueError):
    """The run has no scores; the message says why. No error: the report names the run with the reason."""


@dataclass(frozen=True)
class Run:
    """An entry of `runs`, or a tagger. `options` are the family's; `shared` is its entry of `tasks`.

    input: the file or folder that the run reads. trainings: (seed, folder of the fitted model) of each training. fitted_by: of a
    cross test, the run whose trainings they are, else "".
    """

    name: str
    task: str
    dataset: str
    model: str
    input: Path
    trainings: tuple[tuple[int, Path], ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    shared: Mapping[str, Any] = field(default_factory=dict)
    fitted_by: str = ""


def run(settings: Mapping[str, Any], name: str) -> Run:
    """The run, cross test or tagger `name` of params.yaml, with the family's defaults for the options it leaves out. Raises
    `KeyError`."""
    if name in settings["runs"]:
        entry = settings["runs"][name]
        shared = settings["tasks"][entry["task"]]
        defaults = {key: default for key, (default, _) in family(entry["task"]).OPTIONS.items()}
        return Run(
            name=name,
            task=entry["task"],
            dataset=entry["dataset"],
            model=entry["model"],
            input=Path("data") / entry["from"] / entry["dataset"] / entry["reads"],
            # seeds count up from the family's
            trainings=tuple(
                (seed, paths.fitted(name) / str(seed))
                for seed in range(shared["seed"], shared["seed"] + entry["seeds"])
            ),
            options=defaults | {key: value for key, value in entry.items() if key not in KEYS},
            shared=shared,
        )
    if name in settings.get("cross_tests", {}):
        entry = settings["cross_tests"][name]
        fitted = run(settings, entry["run"])
        own = {key: value for key, value in entry.items() if key not in (*KEYS, "run")}
        return replace(
            fitted,
            name=name,
            dataset=entry["dataset"],
            input=Path("data") / entry["from"] / entry["dataset"] / entry["reads"],
            options=fitted.options | {"labels": {}} | own,
            fitted_by=fitted.name,
        )
    dataset, first, entry = settings["training"]["dataset"], settings["training"]["seed"], settings["taggers"][name]
    # the first is exported, and embeds; the others stand in its folder
    others = range(first + 1, first + entry.get("seeds", 1))
    return Run(
        name=name,
        task=TAGGING,
        dataset=dataset,
        model=entry["network"],
        input=paths.predictions(dataset, name),
        trainings=(
            (first, paths.trained(name)),
            *((seed, paths.trained(name) / f"trainings/{seed}") for seed in others),
        ),
        shared=settings["tasks"][TAGGING],
    )


def identity(run: Run) -> dict[str, Any]:
    """What a fitted run's config.json says of its entry; where params.yaml says something else, the run must be fitted again."""
    options = dict(run.options)
    return {"task": run.task, "model": run.model, "dataset": run.dataset, "reads": str(run.input), "options": options}


def answers(run: Run) -> Path:
    """What a fusion of runs reads of this one (`paths.answers`)."""
    return paths.answers(run.dataset, run.task, run.name)


def families() -> list[str]:
    """The names of all families."""
    return sorted(path.parent.name for path in FOLDER.glob("[!_]*/__init__.py"))


def family(task: str) -> ModuleType:
    """The package of a family."""
    return importlib.import_module(f"pipelines.tasks.{task}")


def part(task: str, name: str) -> ModuleType:
    """A module of a family: `fit`, `score`, `section`, or `models.<name>`."""
    return importlib.import_module(f"pipelines.tasks.{task}.{name}")
