"""Macro F1, accuracy, top-3 and balanced accuracy on the test clips, beside the most frequent class of the training clips.

Macro F1 leads: the mean over classes, so that a rare class counts as much as a frequent one. It is over the classes that the
scored clips have: a resample of few groups lacks some classes, and those are no errors.
"""

import numpy as np

from pipelines.core.files import read_json
from pipelines.metrics.scores import Metric
from pipelines.tasks.classification import answers, chosen, explained, guards, kept, labelled, noise, recordings, report

METRICS = {
    "macro_f1": Metric(lambda c: macro_f1(c["actual"], c["predicted"]), chance=lambda c: 1 / len(set(c["actual"]))),
    "accuracy": Metric(
        lambda c: np.mean(c["actual"] == c["predicted"]), chance=lambda c: float(np.sum(_shares(c) ** 2))
    ),
    "top_3_accuracy": Metric(lambda c: np.mean(c["rank"] < 3), chance=lambda c: _top(c, 3)),
    "balanced_accuracy": Metric(
        lambda c: balanced(c["actual"], c["predicted"]), chance=lambda c: 1 / len(set(c["actual"]))
    ),
}
"""Chance is that of answers drawn at random by the classes' shares of the test clips; of top 3, of three different classes."""


def predict(run, folder):
    """unit, group, `actual`, `predicted`, `rank` of the actual class (0: the highest probability), `probabilities`
    `(clips, classes)`."""
    data, config = labelled.read(run), read_json(folder / "config.json")
    test = data.of("test")
    if labelled.is_deep(run):
        from pipelines.tasks.classification import deep  # imports torch

        found = deep.probabilities(run, folder, data.clips["clip_id"].to_numpy(str)[test])
    else:
        pipeline = kept.load(folder / "model.skops")
        values = pipeline[:-1].transform(data.values[test])
        found = answers.probabilities(pipeline[-1], values, config["temperature"])
    return _columns(data, test, np.array(config["classes"]), found)


def baseline(run):
    """The classes' shares of the training clips, for every clip; in a cross test those of the scored clips, so that its trivial
    answer is the most frequent class of the other dataset."""
    data = labelled.read(run)
    test = data.of("test")
    classes, counts = np.unique(data.classes[test if run.fitted_by else data.of("train")], return_counts=True)
    return _columns(data, test, classes, np.tile(counts / counts.sum(), (len(test), 1)))


def details(run, found):
    """Of the first training: scores of each class, confusions, calibration (report.py), and what explains them (explained.py)."""
    config = read_json(run.trainings[0][1] / "config.json")
    chosen = {name: config[name] for name in ("parameters", "features", "temperature")}
    split = f"{run.dataset}, not the run's own" if run.fitted_by else run.options["split"]
    told = report.of(found[0], config["classes"])
    return {"split": split, "model": run.model, **chosen, **told} | explained.of(
        run, found, told["pairs"], config["classes"]
    )


def plots(details):
    """F1 of each class, for the record."""
    values = {name: one["f1"] for name, one in details["per_class"].items()}
    return {"classes": {"kind": "bars", "values": values, "title": "F1 of each class"}}


def checks(run, found):
    """What guards.py, chosen.py, recordings.py and noise.py find in the run's data and in its first training."""
    data = labelled.read(run)
    seed, folder = run.trainings[0]
    pipeline, config = (
        None if labelled.is_deep(run) else kept.load(folder / "model.skops"),
        read_json(folder / "config.json"),
    )
    above = {"more accurate than the most frequent class": chosen.above_majority(found[0], baseline(run), run.shared)}
    if run.fitted_by:
        found = guards.of_other(data, config["classes"]) | above
    else:
        found = guards.all_of(data, pipeline, run.options, seed) | above
        found["chosen on validation clips"] = chosen.on_validation(data, pipeline, config)
        found["no recording on two sides"] = recordings.check(run, data, seed)
    of_silence = noise.check(run, data, pipeline.predict, seed) if pipeline else (None, "not computed for networks")
    return found | {"digital silence does not tell the class": of_silence}


def macro_f1(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the classes in `actual`."""
    counts = _counts(actual, predicted)
    there = counts.sum(axis=1) > 0
    return float(np.mean((2 * counts.diagonal() / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1))[there]))


def balanced(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall over the classes in `actual`."""
    counts = _counts(actual, predicted)
    there = counts.sum(axis=1) > 0
    return float(np.mean(counts.diagonal()[there] / counts.sum(axis=1)[there]))


def _counts(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    names, codes = np.unique(np.concatenate([actual, predicted]), return_inverse=True)
    k = len(names)
    return np.bincount(codes[: len(actual)] * k + codes[len(actual) :], minlength=k * k).reshape(k, k)


def _columns(data, rows, classes, probabilities):
    actual = data.classes[rows]
    classes = np.asarray(classes)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return {
        "unit": data.clips["clip_id"].to_numpy(str)[rows],
        "group": data.clips["group"].to_numpy(str)[rows],
        "actual": actual,
        "predicted": classes[order[:, 0]],
        "rank": (order == np.searchsorted(classes, actual)[:, None]).argmax(axis=1),
        "probabilities": probabilities.astype(np.float32),
    }


def _shares(columns) -> np.ndarray:
    return np.unique(columns["actual"], return_counts=True)[1] / len(columns["actual"])


def _top(columns, n: int) -> float:
    return min(1.0, n / columns["probabilities"].shape[1])
