"""Macro and micro F1, mAP and ROC-AUC of several labels a clip, beside the answer that every clip has every label.

The baseline has no model: its score of a label is the label's share of the training clips, and a threshold with the best F1 then
gives the label to every clip. So its F1 is 2 p / (1 + p) of a label that a share p of the clips have: high for a frequent label.
"""

import numpy as np

from pipelines.core.files import read_json
from pipelines.core.plain import some
from pipelines.metrics import multilabel as scores
from pipelines.metrics import tagging
from pipelines.metrics.checks import numbered
from pipelines.metrics.intervals import above, bootstrap, by_group, written
from pipelines.metrics.scores import Metric
from pipelines.tasks.classification.fit import labelled, model_file, multilabel, one_vs_rest
from pipelines.tasks.classification.score import guards, noise, recordings

METRICS = {
    "macro_f1": Metric(lambda c: scores.macro_f1(c["actual"], c["predicted"])),
    "micro_f1": Metric(lambda c: scores.micro_f1(c["actual"], c["predicted"])),
    "map": Metric(
        lambda c: scores.macro(tagging.pr_auc, c["actual"], c["scores"]),
        chance=lambda c: scores.prevalence(c["actual"]),
        reflected=True,
    ),
    "roc_auc": Metric(lambda c: scores.macro(tagging.roc_auc, c["actual"], c["scores"]), chance=lambda c: 0.5),
}
"""Chance is that of random scores. Intervals of mAP are reflected, as a tagger's of PR-AUC are (`tagging.evaluate`)."""


def predict(run, folder):
    """unit, group, and `(clips, labels)`: `actual` and `predicted` (bool), `scores` (probabilities)."""
    data, config = multilabel.read(run), read_json(folder / "config.json")
    test = data.of("test")
    if labelled.is_deep(run):
        from pipelines.tasks.classification.fit import deep  # imports torch

        found = deep.probabilities(run, folder, data.clips["clip_id"].to_numpy(str)[test])
    else:
        pipeline = model_file.load(folder / "model.skops")
        found = one_vs_rest.probabilities(pipeline, data.values[test], config["temperature"])
    return _columns(data, test, found, found >= np.array(config["thresholds"]))


def baseline(run):
    """Every label for every clip; its score is the label's share of the training clips."""
    data, priors = multilabel.read(run), read_json(run.trainings[0][1] / "config.json")["priors"]
    test = data.of("test")
    found = np.tile(priors, (len(test), 1))
    return _columns(data, test, found, np.ones_like(found, dtype=bool))


def details(run, found):
    """`per_label` of the first training: label -> precision, recall, F1, average precision and ROC-AUC, the last three with 95%
    intervals over groups, threshold, clips (`support`), share of the training clips (`prior`).

    `most_frequent`: macro and micro F1 of the answer that every clip has the most frequent label of the training clips, and no
    other. `without_labels`: test clips that have none.
    """
    config = read_json(run.trainings[0][1] / "config.json")
    columns, labels = found[0], config["classes"]
    truth, said, shared = columns["actual"], columns["predicted"], run.shared
    draws = shared["n_bootstrap"], shared["seed"]
    ranked = tagging.evaluate(truth, columns["scores"], labels, *draws, columns["group"])["per_tag"]
    of_groups, n_groups = by_group(
        lambda rows: scores.f1(truth[rows], said[rows]).tolist(), numbered(columns["group"], len(truth))
    )
    intervals = bootstrap(of_groups, n_groups, *draws)
    hits, f1 = (truth & said).sum(axis=0), scores.f1(truth, said)
    undefined = dict.fromkeys(("pr_auc", "pr_auc_ci95", "roc_auc", "roc_auc_ci95"))
    per_label = {}
    for place, label in enumerate(labels):
        there, given = int(truth[:, place].sum()), int(said[:, place].sum())
        own = undefined | {key: value for key, value in ranked.get(label, {}).items() if key in undefined}
        per_label[label] = {
            "support": there,
            "prior": config["priors"][place],
            "threshold": config["thresholds"][place],
            "precision": int(hits[place]) / given if given else None,
            "recall": int(hits[place]) / there if there else None,
            "f1": float(f1[place]) if there else None,
            "f1_ci95": intervals[place] if there else None,
            "average_precision": own["pr_auc"],
            "average_precision_ci95": own["pr_auc_ci95"],
            "roc_auc": own["roc_auc"],
            "roc_auc_ci95": own["roc_auc_ci95"],
        }
    one = np.zeros_like(truth)
    one[:, int(np.argmax(config["priors"]))] = True
    trivial = {"macro_f1": scores.macro_f1(truth, one), "micro_f1": scores.micro_f1(truth, one)}
    split = f"{run.dataset}, not the run's own" if run.fitted_by else run.options["split"]
    chosen = {key: config[key] for key in ("parameters", "features", "temperature")}
    without = int((~truth.any(axis=1)).sum())
    about = {"split": split, "model": run.model, **chosen, "n": len(truth), "without_labels": without}
    return about | {"per_label": per_label, "most_frequent": trivial}


def plots(details):
    """F1 of each label, for the record."""
    values = {name: one["f1"] for name, one in details["per_label"].items() if one["f1"] is not None}
    return {"classes": {"kind": "bars", "values": values, "title": "F1 of each label"}}


def checks(run, found):
    """Those of a run with one label a clip, of the first training; choice by validation is not checked again."""
    data = multilabel.read(run)
    gained = {"better than giving every label": above_every_label(found[0], baseline(run), run.shared)}
    if run.fitted_by:
        return {"enough clips of each label": few(data, ("test",))} | gained
    seed, folder = run.trainings[0]
    config = read_json(folder / "config.json")
    pipeline = None if labelled.is_deep(run) else model_file.load(folder / "model.skops")

    def answer(values):
        found = one_vs_rest.probabilities(pipeline, values, config["temperature"])
        return (found >= np.array(config["thresholds"])).ravel()

    return {
        "no group on two sides": guards.groups(data),
        "enough clips of each label": few(data, ("train", "test")),
        "preparation saw training clips only": (
            guards.fitted_on_train(data, pipeline, run.options, seed) if pipeline else guards.UNPREPARED
        ),
        **guards.of_labels(data, run.options),
        **gained,
        "chosen on validation clips": (None, "not computed for several labels"),
        "no recording on two sides": recordings.check(run, data, seed),
        "answers survive inaudible noise": noise.check(run, data, answer, seed) if pipeline else noise.OF_NETWORKS,
    }


def above_every_label(columns: dict, trivial: dict, shared: dict) -> guards.Check:
    """Is the macro F1 higher than that of giving every label to every clip, by an interval over groups? columns, trivial: of the
    run and of its baseline, as `predict` gives them."""
    truth = columns["actual"]

    def of(rows):
        return [scores.macro_f1(truth[rows], one["predicted"][rows]) for one in (columns, trivial)]

    gain, n_groups = by_group(lambda rows: np.subtract(*of(rows)), numbered(columns["group"], len(truth)))
    own, every = of(np.arange(len(truth)))
    found = bootstrap(gain, n_groups, shared["n_bootstrap"], shared["seed"])
    text = f"macro F1 {own:.3f}, {every:.3f} of every label for every clip; gain 95% {written(found)}"
    return above(found, 0), text


def few(data: multilabel.MultiLabelled, sides: tuple[str, ...]) -> guards.Check:
    """Has each label enough clips to learn from and to be scored on?"""
    thin = []
    for side in sides:
        counts = data.classes[data.of(side)].sum(axis=0).tolist()
        thin += [f"{name} ({n} {side})" for name, n in zip(data.labels, counts, strict=True) if n < guards.FEWEST]
    return not thin, (
        f"{len(thin)} of {len(data.labels)} labels have fewer than {guards.FEWEST} clips on a side{some(thin, ': ')}"
    )


def _columns(data, rows, found, said):
    return {
        "unit": data.clips["clip_id"].to_numpy(str)[rows],
        "group": data.clips["group"].to_numpy(str)[rows],
        "actual": data.classes[rows],
        "predicted": said,
        "scores": found.astype(np.float32),
    }
