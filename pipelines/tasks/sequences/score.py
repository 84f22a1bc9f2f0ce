"""Nats a step of the test pieces, joint over the four voices, beside a unigram; and what the model generates.

nats_per_step leads. nats_per_cell is a quarter of it; nats_per_note is the same loss divided by the notes, of which a held or
repeated pitch is one. nats_per_step_apart leaves out the test pieces whose group (settings of one hymn) has a training piece.
"""

import numpy as np

from pipelines.core import paths
from pipelines.core.files import atomic, read_json
from pipelines.metrics.scores import Metric
from pipelines.tasks.sequences import (
    comparison,
    floor,
    kept,
    measures,
    melodies,
    originality,
    pieces,
    sampling,
    statistics,
)
from pipelines.tasks.sequences.cells import VOICES

SIDES = ("train", "validation", "test")


def _ratio(unit, over="steps", of=lambda columns: slice(None)):
    def compute(columns):
        rows = of(columns)
        total = columns[over][rows].sum()
        return columns["nats"][rows].sum() / total if total else np.nan

    return Metric(compute, unit=unit, higher_is_better=False)


METRICS = {
    "nats_per_step": _ratio("nats a 16th step, four voices"),
    "nats_per_step_apart": _ratio("nats a 16th step, four voices", of=lambda columns: ~columns["shared"]),
    "nats_per_cell": _ratio("nats a cell, one voice", "cells"),
    "nats_per_note": _ratio("nats a note", "notes"),
}


def predict(run, folder):
    """unit, group, `nats` and `steps`, `cells`, `notes` of each test piece, and whether its group is `shared` with training."""
    module, model = kept.load(folder)
    data = pieces.read(run)
    return _columns(data, module.cell_nats(model, data.of("test")))


def baseline(run):
    """The unigram of the training pieces, in their own keys."""
    data = pieces.read(run)
    logs = floor.log_probabilities(floor.counted(data.of("train")))
    return _columns(data, floor.cell_nats(logs, data.of("test")))


def details(run, answers):
    """Of the first training: losses of all sides, and of each voice; statistics and originality of generated pieces, which are
    written to data/scores/<run>/generated.npz; notes (voice, pitch, first step, steps) of the first, of the one with the longest
    run shared with training, and of the training piece that has it."""
    (seed, folder), options = run.trainings[0], run.options
    module, model = kept.load(folder)
    data = pieces.read(run)
    test = data.of("test")
    cells = {side: np.concatenate(module.cell_nats(model, data.of(side))) for side in SIDES}
    given = np.full((options["bars"] * statistics.BAR, VOICES), sampling.FREE)

    def begin(n_pieces):
        return module.begin(model, n_pieces)

    made = sampling.sample(begin, given, options["samples"], seed, options["temperature"], 0, options["top_p"])
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
        "options": dict(options),
        "left_out": dict(data.left_out),
        "curve": read_json(folder / "config.json")["figures"].get("curve", []),
        "losses": {
            side: {
                "nats_per_step": float(found.sum(axis=1).mean()),
                "nats_per_cell": float(found.mean()),
                "pieces": len(data.rows(side)),
                "steps": len(found),
            }
            for side, found in cells.items()
        },
        "voices": cells["test"].mean(axis=0).tolist(),
        "statistics": {
            "generated": statistics.of(list(made)),
            "held_out": statistics.of(test),
            "training": statistics.of(data.of("train")),
        },
        "comparison": comparison.table(list(made), test, data.of("train"), seed),
        "originality": shared,
        "extraction": {
            name: originality.extraction(begin, data.of(side), run.shared["n_bootstrap"], seed)
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
    values = {side: one["nats_per_step"] for side, one in details["losses"].items()}
    found = {"losses": {"kind": "bars", "values": values, "title": "nats a step"}}
    overlaps = {
        of: value for of, value in details["comparison"]["mean_overlap"].items() if of != "n" and value is not None
    }
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
    found = {
        f"generated {name}": check
        for name, check in statistics.outside(statistics.of(made), run.options["gate"]).items()
    }
    data = pieces.read(run)
    alike = melodies.check(data.of("test"), data.of("train"))
    return {
        "test groups are not in training": (not shared.any(), apart),
        "test melodies are not in training": alike,
        **found,
    }


def _columns(data, losses):
    rows = data.rows("test")
    test, groups = data.of("test"), data.clips["group"].to_numpy(str)
    steps = np.array([len(piece) for piece in test])
    return {
        "unit": data.clips["clip_id"].to_numpy(str)[rows],
        "group": groups[rows],
        "nats": np.array([loss.sum() for loss in losses]),
        "steps": steps,
        "cells": VOICES * steps,
        "notes": np.array(
            [((np.diff(piece.astype(int), axis=0, prepend=0) != 0) & (piece > 0)).sum() for piece in test]
        ),
        "shared": np.isin(groups[rows], groups[data.rows("train")]),
    }
