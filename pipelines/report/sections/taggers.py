"""The taggers' own scores on the dataset that they were trained on, tag by tag, and their training curves."""

from pathlib import Path

from markupsafe import Markup

from pipelines.core import training_clips
from pipelines.report import charts
from pipelines.report.context import Context
from pipelines.report.state import State, ordered

TITLE = "The taggers"
ORDER = 90
TEMPLATE = Path(__file__).with_suffix(".html.j2")
CURVES = (
    ("loss", "training loss (BCE)", None),
    ("validation_roc_auc", "validation ROC-AUC", 0.5),
    ("validation_pr_auc", "validation PR-AUC", None),
)
"""Column of history.csv, what it is, and its chance level."""


def render(context: Context) -> Markup | None:
    """A part for each dataset that taggers were scored on, on a dataset's page its own; None where there is none."""
    study, state = context.study, context.state
    parts = []
    for name, records in state.tagging.items():
        names = ordered(state, records)  # none where no tagger was trained here: published ones have tags of their own
        if names and (study is None or name == study.dataset.name):
            parts.append(_part(context, name, records, names))
    return context.fill(TEMPLATE, parts=parts) if parts else None


def _part(context: Context, dataset: str, records: dict[str, dict], names: list[str]) -> dict:
    state, lineage = context.state, context.lineage
    tags = sorted(
        records[names[0]]["per_tag"], key=lambda tag: (-max(_roc_auc(records[name], tag) for name in names), tag)
    )
    return {
        "dataset": dataset,
        "rows": [{"name": name, "colour": i, **records[name]} for i, name in enumerate(names)],
        "n_trained": len({tag for name in names for tag in state.taggers.get(name, {}).get("tags", [])}),
        "tags": [{"name": tag, "scores": [records[name]["per_tag"].get(tag) for name in names]} for tag in tags],
        "left_out": training_clips.in_words(state.settings["training"].get("leave_out")),
        "source": lineage.mark("reports/tagging.json"),
        "training": [
            {
                "name": name,
                "config": state.taggers[name],
                "figures": state.taggers[name].get("figures", {}),
                "source": lineage.mark(f"models/tagging/{name}"),
            }
            for name in names
            if name in state.taggers
        ],
        "curves": _curves(state, names),
        "table": _table(records, names),
    }


def _roc_auc(record: dict, tag: str) -> float:
    return record["per_tag"].get(tag, {}).get("roc_auc", 0.0)


def _table(records: dict[str, dict], names: list[str]) -> dict:
    columns = ["tagger", "n", "n_tags"]
    for key in ("roc_auc", "pr_auc"):
        columns += [key, f"{key}_low", f"{key}_high", f"{key}_constant"]
    rows = []
    for name in names:
        found = records[name]
        row = [name, found["n"], found["n_tags"]]
        for key in ("roc_auc", "pr_auc"):
            row += [found[key], *(found[f"{key}_ci95"] or (None, None)), found["baseline"][key]]
        rows.append(row)
    return {"columns": columns, "rows": rows}


def _curves(state: State, names: list[str]) -> list[Markup]:
    """A chart a quantity of history.csv, a line a tagger, a ring at the epoch that was kept."""
    found = []
    for key, label, floor in CURVES:
        series = [
            {
                "name": name,
                "colour": i,
                "x": [row["epoch"] for row in state.histories[name]],
                "y": [row[key] for row in state.histories[name]],
                "mark": state.taggers.get(name, {}).get("figures", {}).get("best epoch"),
            }
            for i, name in enumerate(names)
            if state.histories.get(name) and key in state.histories[name][0]
        ]
        if series:
            found.append(charts.lines(series, "epoch", label, f"{label} by epoch of {', '.join(names)}", floor))
    return found
