"""Is B told from windows that do not continue A: ROC-AUC, accuracy and average precision against each kind of them.

Each kind is scored on its own pairs and on the continuations, of which there are as many: chance is 0.5. roc_auc leads, the mean
over the kinds. An accuracy is at the threshold that was best on the validation pairs, over all kinds. retrieved: the share of A
whose own B scores highest among one B of each group; matched_transductive: the same by one-to-one matching of all A and B of a
round, which uses that each B continues one A (`matching.py`). `n` counts all pairs.
"""

import numpy as np

from pipelines.core.files import read_json
from pipelines.metrics.scores import Metric
from pipelines.tasks import part
from pipelines.tasks.continuation import NAMES
from pipelines.tasks.continuation.fit import curves, pairs, windows
from pipelines.tasks.continuation.fit.pairs import KINDS, TRUE
from pipelines.tasks.continuation.score import guards, matching, report


def _of_kind(measure, name):
    def compute(columns):
        rows = curves.of_kind(columns["kind"], name)
        return measure(columns["actual"][rows], columns["score"][rows], columns["said"][rows])

    return compute


def _accuracy(true, score, said):
    # as many of either: what resampling groups makes of them is weighed out
    return np.mean([np.mean(said[true]), 1 - np.mean(said[~true])]) if true.any() and not true.all() else np.nan


def _found(name):
    return lambda columns: np.nanmean(columns[name]) if np.isfinite(columns[name]).any() else np.nan


def _half(columns):
    return 0.5


METRICS = {
    "roc_auc": Metric(lambda columns: curves.mean_roc_auc(columns["kind"], columns["score"]), chance=_half),
    **{
        f"{name}_{kind}": Metric(_of_kind(measure, kind), chance=_half)
        for name, measure in {
            "roc_auc": lambda true, score, said: curves.roc_auc(true, score),
            "accuracy": _accuracy,
            "average_precision": lambda true, score, said: curves.average_precision(true, score),
        }.items()
        for kind in KINDS
    },
    "retrieved": Metric(_found("retrieved"), chance=_found("drawn")),
    "matched_transductive": Metric(_found("matched"), chance=_found("drawn")),
}


def predict(run, folder):
    """unit, group, kind and `actual` (is B the continuation?) of each test pair, `score`, `said` (from the threshold on), and
    `retrieved`, `matched` and `drawn` as `matching.hits` gives them."""
    score, config = _model(run, folder)
    data = pairs.of_side(run, windows.read(run), "test")
    values = score(*data.grids())
    found = matching.hits(data, score, run.shared["seed"])
    return _columns(data, values, values >= config["threshold"], found)


def baseline(run):
    """One score for all pairs, and the answer that each is a continuation."""
    data = pairs.of_side(run, windows.read(run), "test")
    n = len(data)
    found = matching.hits(data, lambda a, b: np.zeros(len(a)), run.shared["seed"])
    return _columns(data, np.zeros(n), np.ones(n, bool), found | {"matched": found["drawn"]})


def details(run, answers):
    """Of the first training: ROC curves and counts of each kind, pairs to hear, and what was left out (`report.py`)."""
    return report.details(run, windows.read(run), answers[0], read_json(run.trainings[0][1] / "config.json"))


def plots(details):
    """ROC-AUC against each kind, for the record."""
    values = {NAMES[kind]: found["roc_auc"] for kind, found in details["kinds"].items()}
    return {"kinds": {"kind": "bars", "values": values, "title": "ROC-AUC by kind of other window"}}


def checks(run, answers):
    """The guards, on the first training."""
    score, _ = _model(run, run.trainings[0][1])
    return guards.all_of(run, windows.read(run), score, answers[0])


def _model(run, folder):
    return part(run.task, f"models.{run.model}").load(folder, run.options), read_json(folder / "config.json")


def _columns(data, values, said, found):
    clips, place = data.windows.clips["clip_id"].to_numpy(str)[data.windows.piece], data.windows.place
    places = zip(clips[data.a], place[data.a], clips[data.b], place[data.b], data.kind, strict=True)
    return {
        "unit": np.array([f"{a}:{i} {b}:{j} {kind}" for a, i, b, j, kind in places]),
        "group": data.windows.group[data.a],
        "kind": data.kind,
        "actual": data.kind == TRUE,
        "score": values,
        "said": said,
        **found,
    }
