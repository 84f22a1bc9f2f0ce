"""Scores on the test clips, beside the most frequent class of the training clips (`metrics/single_label.py`; of runs with several
labels a clip `multilabel_score.py`)."""

import numpy as np

from pipelines.core.files import read_json
from pipelines.metrics import single_label
from pipelines.metrics.single_label import METRICS
from pipelines.tasks.classification.fit import answers, cross_validation, labelled, model_file
from pipelines.tasks.classification.fit.multilabel import is_multi_label
from pipelines.tasks.classification.score import (
    explanations,
    folds,
    guards,
    multilabel_score,
    noise,
    recordings,
    report,
    selection_guard,
)


def metrics(run):
    """Of a multi-label run others."""
    return multilabel_score.METRICS if is_multi_label(run) else METRICS


def split(run):
    """What the scores say of the clips that were scored."""
    return f"{run.options['folds']} folds" if cross_validation.is_folded(run) else "test"


def predict(run, folder):
    """`single_label.columns` of the test clips."""
    if is_multi_label(run):
        return multilabel_score.predict(run, folder)
    return _answered(run, folder, "test")


def validation(run, folder):
    """({`classes`, their shares of the training clips as `priors`, the guard of groups as `groups`}, columns of the validation
    clips), for a fusion of runs; None of a run with several labels a clip or scored by cross-validation."""
    if is_multi_label(run) or cross_validation.is_folded(run):
        return None
    data, classes = labelled.read(run), read_json(folder / "config.json")["classes"]
    priors = [float(np.mean(data.classes[data.of("train")] == name)) for name in classes]
    return {"classes": classes, "priors": priors, "groups": guards.groups(data)}, _answered(run, folder, "validation")


def _answered(run, folder, side):
    """The columns of the clips of a side, those of a class that training had."""
    data, config = labelled.read(run), read_json(folder / "config.json")
    rows = data.of(side)
    rows = rows[np.isin(data.classes[rows], config["classes"])]
    if not len(rows):
        return _columns(data, rows, config["classes"], np.zeros((0, len(config["classes"]))))
    if cross_validation.is_folded(run):
        found = folds.probabilities(run, folder, data)
    elif labelled.is_deep(run):
        from pipelines.tasks.classification.fit import deep  # imports torch

        found = deep.probabilities(run, folder, data.clips["clip_id"].to_numpy(str)[rows])
    else:
        pipeline = model_file.load(folder / "model.skops")
        values = pipeline[:-1].transform(data.values[rows])
        found = answers.probabilities(pipeline[-1], values, config["temperature"])
    return _columns(data, rows, config["classes"], found)


def baseline(run):
    """The classes' shares of the training clips, for every clip; in a cross test those of the scored clips, so that its trivial
    answer is the most frequent class of the other dataset. By folds of all clips: a class that a fold's training clips lack is in
    the fold, and the shares of each would rank it last there."""
    if is_multi_label(run):
        return multilabel_score.baseline(run)
    data = labelled.read(run)
    test = data.of("test")
    counted = test if run.fitted_by or cross_validation.is_folded(run) else data.of("train")
    classes, counts = np.unique(data.classes[counted], return_counts=True)
    return _columns(data, test, classes, np.tile(counts / counts.sum(), (len(test), 1)))


def details(run, found):
    """Of the first training: scores of each class, confusions, calibration (report.py), and explanations (explanations.py)."""
    if is_multi_label(run):
        return multilabel_score.details(run, found)
    config = read_json(run.trainings[0][1] / "config.json")
    chosen = {name: config[name] for name in ("parameters", "features", "temperature")}
    split = f"{run.dataset}, not the run's own" if run.fitted_by else run.options["split"]
    told = report.of(found[0], config["classes"])
    if cross_validation.is_folded(run):
        told["folds"] = folds.each(run, run.trainings[0][1], labelled.read(run), found[0])
    return {"split": split, "model": run.model, **chosen, **told} | explanations.of(
        run, found, told["pairs"], config["classes"]
    )


def plots(details):
    """F1 of each class, for the record."""
    if "per_label" in details:
        return multilabel_score.plots(details)
    values = {name: one["f1"] for name, one in details["per_class"].items()}
    return {"classes": {"kind": "bars", "values": values, "title": "F1 of each class"}}


def checks(run, found):
    """What guards.py, selection_guard.py, recordings.py and noise.py find in the run's data and in its first training."""
    if is_multi_label(run):
        return multilabel_score.checks(run, found)
    data = labelled.read(run)
    seed, folder = run.trainings[0]
    if cross_validation.is_folded(run):
        return folds.checks(run, data) | _above(run, found)
    pipeline, config = (
        None if labelled.is_deep(run) else model_file.load(folder / "model.skops"),
        read_json(folder / "config.json"),
    )
    above = _above(run, found)
    if run.fitted_by:
        found = guards.of_other(data, config["classes"]) | above
    else:
        found = guards.all_of(data, pipeline, run.options, seed) | above
        found["validation has every class"] = guards.validated(data, config)
        found["chosen on validation clips"] = selection_guard.on_validation(data, pipeline, config)
        found["no recording on two sides"] = recordings.check(run, data, seed)
    survive = noise.check(run, data, pipeline.predict, seed) if pipeline else noise.OF_NETWORKS
    return found | {"answers survive inaudible noise": survive}


def _above(run, found):
    gained = selection_guard.above_majority(found[0], baseline(run), run.shared)
    return {"more accurate than the most frequent class": gained}


def _columns(data, rows, classes, probabilities):
    unit, group = (data.clips[name].to_numpy(str)[rows] for name in ("clip_id", "group"))
    return single_label.columns(unit, group, data.classes[rows], classes, probabilities)
