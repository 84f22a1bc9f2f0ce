"""A run's statistics of generated pieces beside those of people's, as a table."""

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

TEMPLATE = Path(__file__).with_suffix(".html.j2")
NAMES = {
    "pitch_range": "range, semitones",
    "n_pitches_used": "pitches used",
    "n_pitch_classes_used": "pitch classes used",
    "polyphony": "pitches at once",
    "polyphony_rate": "steps with more than two pitches",
    "pitch_entropy": "entropy of pitches, bits",
    "pitch_class_entropy": "entropy of pitch classes, bits",
    "scale_consistency": "notes in one scale",
    "empty_beat_rate": "quarters without a note",
    "mean_interval": "interval, semitones",
    "mean_duration": "length of a note, 16ths",
    "pitch_class_histogram": "histogram of pitch classes",
    "duration_histogram": "histogram of lengths",
    "pitch_class_transitions": "pairs of pitch classes",
}
SETS = ("generated", "training", "random")
MEANS = ("people", "generated", "random")


def render(fill: Callable[..., Markup], name: str, table: dict) -> Markup:
    """The table of the run `name`, as `comparison.table` of the family sequences gives it."""
    return fill(TEMPLATE, table=table, names=NAMES, name=name, exported=_exported(table))


def _exported(table: dict) -> dict:
    columns = ["statistic", *MEANS, *(f"{of}_{kind}" for kind in ("overlap", "kl") for of in SETS), "low", "high"]
    rows = []
    for key, found in table["overlaps"].items():
        means = table["means"].get(key, {})
        figures = [found[of][kind] for kind in ("overlap", "kl") for of in SETS]
        low, high = found["generated"]["ci95"] or (None, None)
        rows.append([key, *(means.get(of) for of in MEANS), *figures, low, high])
    return {"columns": columns, "rows": rows}
