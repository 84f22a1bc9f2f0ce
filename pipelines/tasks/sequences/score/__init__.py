"""Nats a step of the test pieces, joint over all voices, beside a unigram; and what the model generates.

nats_per_step leads. nats_per_cell is that divided by the voices; nats_per_note is the same loss divided by the notes, of which a
held or repeated pitch is one. nats_per_step_apart leaves out the test pieces whose group (settings of one hymn) has a training
piece.

Of a model of which no more than an upper bound on nats is known, bound_per_step is the only score: its nats may be fewer, so it
is compared with no other model's. A model without a likelihood has none: its nats_per_step is not defined.
"""

import numpy as np

from pipelines.core import paths
from pipelines.core.files import atomic, read_json
from pipelines.metrics.scores import Metric
from pipelines.tasks import part
from pipelines.tasks.sequences.fit import floor, measures, model_file, pieces
from pipelines.tasks.sequences.score import comparison, generators, melodies, originality, statistics

SIDES = ("train", "validation", "test")


def _ratio(unit, over="steps", of=lambda columns: slice(None), loss="nats"):
    def compute(columns):
        rows = of(columns)
        total = columns[over][rows].sum()
        return columns[loss][rows].sum() / total if total else np.nan

    return Metric(compute, unit=unit, higher_is_better=False)


METRICS = {
    "nats_per_step": _ratio("nats a 16th step, all voices"),
    "nats_per_step_apart": _ratio("nats a 16th step, all voices", of=lambda columns: ~columns["shared"]),
    "nats_per_cell": _ratio("nats a cell, one voice", "cells"),
    "nats_per_note": _ratio("nats a note", "notes"),
}
BOUNDS = {"bound_per_step": _ratio("upper bound on nats a 16th step, all voices", loss="bound")}


def metrics(run):
    """Those that the run's model has."""
    return BOUNDS if generators.likelihood(part(run.task, f"models.{run.model}")) == generators.BOUND else METRICS


def predict(run, folder):
    """unit, group, `nats` and `bound`, `steps`, `cells`, `notes` of each test piece, and whether its group is `shared` with
    training."""
    module, model, _ = model_file.load(folder)
    data = pieces.read(run)
    return _columns(data, **generators.losses(module, model, data.of("test")))


def baseline(run):
    """The unigram of the training pieces, in their own keys. Its nats are the tightest bound on themselves."""
    data = pieces.read(run)
    logs = floor.log_probabilities(floor.counted(data.of("train")))
    nats = np.array([loss.sum() for loss in floor.cell_nats(logs, data.of("test"))])
    return _columns(data, nats, nats)


def details(run, answers):
    """Of the first training: losses of all sides, in nats or as a bound (`likelihood` says which); statistics and originality
    of generated pieces, which are written to data/scores/<run>/generated.npz; notes (voice, pitch, first step, steps) of the
    first, of the one with the longest run shared with training, and of the training piece that has it."""
    (seed, folder), options = run.trainings[0], run.options
    module, model, _ = model_file.load(folder)
    data = pieces.read(run)
    test = data.of("test")
    steps = options["bars"] * statistics.BAR
    made = generators.written(module, model, options["samples"], steps, data.voices, seed, options)
    with atomic(paths.scores(run.name) / "generated.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, pieces=made)
    groups = data.clips["group"].to_numpy(str)[data.rows("test")]
    shared = originality.table(
        list(made), test, groups, data.of("train"), run.shared["n_bootstrap"], run.shared["seed"]
    )
    worst = shared["worst"]
    worst["title"] = (
        data.clips["title"].to_numpy(str)[data.rows("train")][worst["nearest"]] if worst["nearest"] >= 0 else ""
    )
    return {
        "model": run.model,
        "voices": data.voices,
        "options": dict(options),
        "left_out": dict(data.left_out),
        "curve": read_json(folder / "config.json")["figures"].get("curve", []),
        "likelihood": generators.likelihood(module),
        "losses": {side: _loss(module, model, data.of(side)) for side in SIDES},
        "latent": module.latent(model, test) if hasattr(module, "latent") else None,
        "statistics": {
            "generated": statistics.of(list(made)),
            "held_out": statistics.of(test),
            "training": statistics.of(data.of("train")),
        },
        "comparison": comparison.table(list(made), test, groups, data.of("train"), run.shared["n_bootstrap"], seed),
        "originality": shared,
        "extraction": {
            name: originality.extraction(
                generators.beginning(module, model), data.of(side), run.shared["n_bootstrap"], seed
            )
            for name, side in (("training", "train"), ("held_out", "test"))
        },
        "rolls": {
            "first": measures.notes(made[0]).tolist(),
            "worst": measures.notes(made[worst["piece"]]).tolist(),
            "source": measures.notes(data.of("train")[worst["nearest"]]).tolist() if worst["nearest"] >= 0 else [],
        },
    }


def plots(details):
    """Losses of the sides, and how alike statistics are to those of people's held-out pieces, for the record."""
    found, title = {}, {generators.EXACT: "nats a step", generators.BOUND: "bound on nats a step"}
    if details["likelihood"] != generators.NONE:
        values = {side: one["per_step"] for side, one in details["losses"].items()}
        found["losses"] = {"kind": "bars", "values": values, "title": title[details["likelihood"]]}
    overlaps = {of: details["comparison"]["mean_overlap"][of] for of in ("generated", "training", "random")}
    overlaps = {of: value for of, value in overlaps.items() if value is not None}
    if overlaps:
        title = "overlap of statistics with people's held-out pieces"
        found["overlap"] = {"kind": "bars", "values": overlaps, "title": title}
    return found


def checks(run, answers):
    """The bounds of the run's gate, on the pieces that `details` has written, and what the split shares."""
    with np.load(paths.scores(run.name) / "generated.npz", allow_pickle=False) as file:
        made = list(file["pieces"])
    shared = answers[0]["shared"]
    apart = f"{shared.sum()} of {len(shared)} test pieces are of a group (work, hymn) with training pieces"
    data = pieces.read(run)
    bounds = statistics.bounds(run.options["gate"], data.of("validation"), made[0].shape[0])
    found = {f"generated {name}": check for name, check in statistics.outside(statistics.of(made), bounds).items()}
    alike = melodies.check(data.of("test"), data.of("train"))
    return {
        "no group on two sides": (not shared.any(), apart),
        "test melodies are not in training": alike,
        **found,
    }


def _loss(module, model, pieces):
    """`{"per_step", "per_cell", "pieces", "steps"}`; None for the first two of a model without a likelihood."""
    steps, found = sum(map(len, pieces)), generators.losses(module, model, pieces)
    total = [float(each.sum()) for each in found.values() if np.isfinite(each).all()]
    per_step = total[0] / steps if total else None
    return {
        "per_step": per_step,
        "per_cell": per_step / pieces[0].shape[1] if total else None,
        "pieces": len(pieces),
        "steps": steps,
    }


def _columns(data, nats, bound):
    rows = data.rows("test")
    test, groups = data.of("test"), data.clips["group"].to_numpy(str)
    steps = np.array([len(piece) for piece in test])
    return {
        "unit": data.clips["clip_id"].to_numpy(str)[rows],
        "group": groups[rows],
        "nats": nats,
        "bound": bound,
        "steps": steps,
        "cells": data.voices * steps,
        "notes": np.array(
            [((np.diff(piece.astype(int), axis=0, prepend=0) != 0) & (piece > 0)).sum() for piece in test]
        ),
        "shared": np.isin(groups[rows], groups[data.rows("train")]),
    }
