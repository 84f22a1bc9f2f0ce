"""Class by class: F1 beside the class's share and the answer that it always plays, curves, and clips on a timeline."""

from pathlib import Path

from pipelines.core import paths
from pipelines.core.files import read_json
from pipelines.report import charts
from pipelines.tasks.activity.section import timeline

TITLE, ORDER = "Class by class", 10
TEMPLATE = Path(__file__).with_name("classes.html.j2")
COLUMNS = {
    "prior": "share of training",
    "share": "share of test",
    "always_unit_f1": "F1 if always active",
    "unit_f1": "F1",
    "average_precision": "average precision",
    "threshold": "threshold",
    "always_segment_f1": "F1 of segments of 1 s if always active",
    "segment_f1": "F1 of segments of 1 s",
    "always_event_f1": "F1 of events if always active",
    "event_f1": "F1 of events",
}
"""Key of a class -> heading; those of segments and events are there for frames alone."""


def render(context):
    """None where no run has been scored."""
    numbers = {}
    parts = [_part(context, name, found, numbers) for name, found in context.details().items()]
    return context.fill(TEMPLATE, parts=parts, labels=timeline.labels) if parts else None


def _part(context, name, found, numbers):
    epochs = list(range(1, len(found["losses"]) + 1))
    line = {"name": name, "colour": 0, "x": epochs, "y": found["losses"], "mark": None}
    there = [key for key in COLUMNS if key in next(iter(found["per_class"].values()))]
    dataset = read_json(paths.scores(name) / "about.json")["dataset"]
    return {
        "name": name,
        "dataset": dataset,
        "level": found["level"],
        "unit_s": found["unit_s"],
        "columns": [COLUMNS[key] for key in there],
        "source": context.lineage.mark(paths.scores(name)),
        "curve": charts.lines([line], "epoch", "loss", f"training loss by epoch of {name}"),
        "curves": [(label, _curve(label, one)) for label, one in found["per_class"].items()],
        "clips": timeline.clips(context, dataset, found["clips"], numbers),
        "table": {
            "columns": ["class", *there],
            "rows": [[label, *(one[key] for key in there)] for label, one in found["per_class"].items()],
        },
    }


def _curve(label, one):
    line = {"name": label, "colour": 0, "x": one["curve"]["recall"], "y": one["curve"]["precision"], "mark": None}
    return charts.lines([line], "recall", "precision", f"precision by recall of {label}", floor=one["share"])
