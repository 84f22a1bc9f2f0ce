"""Accuracy and macro-F1 on the test clips, beside the most frequent class of the training clips."""

import numpy as np
from sklearn.metrics import f1_score

from pipelines.metrics.scores import Metric
from pipelines.tasks import inputs, part

METRICS = {
    "accuracy": Metric(lambda columns: np.mean(columns["actual"] == columns["predicted"])),
    "macro F1": Metric(lambda columns: f1_score(columns["actual"], columns["predicted"], average="macro")),
}


def predict(run, folder):
    with np.load(folder / "model.npz", allow_pickle=False) as arrays:
        return _answered(run, lambda values, _: part(run.task, f"models.{run.model}").predict(arrays, values))


def baseline(run):
    return _answered(run, lambda values, train: np.full(len(values), train[0]))


def _answered(run, answer):
    """The columns of the test clips; `answer` gets their vectors and the training clips' classes, the most frequent first."""
    clips, values, _ = inputs.vectors(run)
    classes = inputs.labels(run, clips, run.options["target"])
    train, test = ((clips["split"] == side).to_numpy() & (classes != "") for side in ("train", "test"))
    names, counts = np.unique(classes[train], return_counts=True)
    answers = answer(values[test], names[np.argsort(-counts, kind="stable")])
    unit, group = (clips.loc[test, name].to_numpy(str) for name in ("clip_id", "group"))
    return {"unit": unit, "group": group, "actual": classes[test], "predicted": answers}
