"""Example clips: player, log-mel, and piano roll if the notes are known."""

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from pipelines.core import paths
from pipelines.report import pictures, players
from pipelines.report.context import Context

TITLE = "Listen"
ORDER = 40
SHOWN = 3
"""Cards that are seen at once; the others are behind a fold that says how many."""
TEMPLATE = Path(__file__).with_suffix(".html.j2")


def render(context: Context) -> Markup:
    dataset, settings = context.study.dataset, context.state.settings
    rate, excerpt_s = settings["audio"]["sample_rate"], settings["report"]["excerpt_s"]
    number = {int(row): i for i, row in enumerate(dataset.scored[dataset.scored].index)}
    every_note = pictures.notes_of(dataset)
    cards = [
        _card(context, row, every_note.get(dataset.clips.at[row, "path"])) | {"clip": number[row]}
        for row in context.study.examples
    ]
    shown = (
        (paths.audio(dataset.name), True),
        (paths.features(dataset.name, "log_mel"), any(card["log_mel"] for card in cards)),
        (paths.raw(dataset.name), dataset.notes is not None),
    )
    return context.fill(
        TEMPLATE,
        cards=cards,
        shown=SHOWN,
        notes=dataset.notes is not None,
        sample_rate=rate,
        excerpt_s=excerpt_s,
        sources=[context.lineage.mark(path) for path, wanted in shown if wanted],
    )


def _card(context: Context, row: int, notes: pd.DataFrame | None) -> dict:
    """One clip with its excerpt's pictures, labels, and the class its cluster was matched to by each embedding."""
    dataset, settings = context.study.dataset, context.state.settings
    rate = settings["audio"]["sample_rate"]
    clip = dataset.clips.loc[row]
    start, length = players.window(clip, rate, settings["report"]["excerpt_s"])
    placed = dataset.assignments[dataset.assignments["clip_id"] == clip["clip_id"]]
    placed = placed[["target", "embedding", "predicted", "actual"]]
    return {
        "title": clip["title"],
        "labels": [(t, clip[f"target_{t}"]) for t in dataset.scores if pd.notna(clip[f"target_{t}"])],
        "placed": list(placed.itertuples(index=False, name=None)),
        "tags": list(clip["tags"]),
        "length": length,
        "whole": int(clip["length"]) / rate,
        "ticks": pictures.time_ticks(start, length),
        "log_mel": pictures.log_mel(dataset, clip["clip_id"], start, length, settings),
        "roll": None if notes is None else pictures.piano_roll(notes, start, length),
    }
