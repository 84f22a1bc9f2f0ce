"""Macro ROC-AUC and PR-AUC of a tagger on test clips of its training dataset, without left-out classes."""

import numpy as np
import pandas as pd

from pipelines.core import embeddings, params, training_clips
from pipelines.core.chunks import tag_matrix
from pipelines.core.files import read_json
from pipelines.core.manifest import independent_clips
from pipelines.core.tables import read_table
from pipelines.metrics import tagging
from pipelines.metrics.scores import Metric
from pipelines.tasks import NotScored

METRICS = {
    "roc_auc": Metric(lambda c: _macro(tagging.roc_auc, c), unit="", chance=lambda c: 0.5),
    "pr_auc": Metric(lambda c: _macro(tagging.pr_auc, c), unit="", chance=lambda c: _prevalence(c), reflected=True),
}


def predict(run, folder):
    """unit, group, `actual` and `scores` `(clips, tags)`: 1 where the clip has the tag, and the tagger's probability."""
    config = read_json(folder / "config.json")
    if "published" in config:
        raise NotScored("its weights are published, and their tags are not those of the training dataset")
    tags, test = config["tags"], _test_clips(run)
    source = run.input if folder == run.trainings[0][1] else folder / "predictions.parquet"
    table = read_table(source, embeddings.PREDICTIONS).set_index("clip_id")
    scores = np.stack(table.loc[test["clip_id"], "scores"].to_list())
    return _columns(test, tag_matrix(test, tags), scores)


def baseline(run):
    """The same probability for every clip."""
    test = _test_clips(run)
    actual = tag_matrix(test, read_json(run.trainings[0][1] / "config.json")["tags"])
    return _columns(test, actual, np.zeros(actual.shape, np.float32))


def details(run, answers):
    """Scores of each tag with intervals (`metrics.tagging.evaluate`), and what the page shows of the training: `config` and
    `history`, column of history.csv -> numbers, one an epoch."""
    columns, shared, folder = answers[0], run.shared, run.trainings[0][1]
    config, groups = read_json(folder / "config.json"), columns["group"]
    found = tagging.evaluate(
        columns["actual"], columns["scores"], config["tags"], shared["n_bootstrap"], shared["seed"], groups
    )
    history = pd.read_csv(folder / "history.csv").to_dict("list")
    return found | {"config": {key: config[key] for key in ("figures", "reads", "tags", "width")}, "history": history}


def _test_clips(run):
    clips = independent_clips(run.dataset)
    known = ~training_clips.left_out(clips, params.read()["training"].get("leave_out"))
    return clips[(clips["split"] == "test") & known].reset_index(drop=True)


def _columns(test, actual, scores):
    return {
        "unit": test["clip_id"].to_numpy(str),
        "group": test["group"].to_numpy(str),
        "actual": actual,
        "scores": scores,
    }


def _macro(measure, columns) -> float:
    """Mean over the tags that some clips have and others have not; NaN where there is none."""
    actual, scores = columns["actual"], columns["scores"]
    both = tagging.both_classes(actual)
    return float(measure(actual[:, both], scores[:, both]).mean()) if both.any() else float("nan")


def _prevalence(columns) -> float:
    """The expected average precision of random scores is a tag's share of clips."""
    actual = columns["actual"]
    both = tagging.both_classes(actual)
    return float(actual[:, both].mean()) if both.any() else 0.0


def plots(details):
    """ROC-AUC of each tag, for the record."""
    values = {tag: value["roc_auc"] for tag, value in details["per_tag"].items()}
    return {"tags": {"kind": "bars", "values": values, "title": "ROC-AUC per tag"}} if values else {}
