"""k-means compared with the classes: a chart of held-out accuracy, and a table of all figures."""

from collections.abc import Collection
from pathlib import Path

from markupsafe import Markup

from pipelines.core import paths
from pipelines.evaluation.contrast import FLAT
from pipelines.evaluation.crossed import lead
from pipelines.report.context import Context
from pipelines.report.state import Dataset, tagger_names

TITLE = "Clusters and classes"
ORDER = 10
TEMPLATE = Path(__file__).with_suffix(".html.j2")
EXPORTED = (
    "held_out_accuracy", "held_out_low", "held_out_high", "held_out_chance", "matched_accuracy", "matched_low", "matched_high",
    "matched_chance", "macro_f1", "nmi", "ari", "v_measure", "silhouette",
)  # fmt: skip


def render(context: Context) -> Markup:
    study = context.study
    taggers, encoders = set(tagger_names(context.state)), context.state.settings.get("encoders") or {}
    targets = [
        {
            "name": target,
            "n": next(iter(rows.values()))["n"],
            "k": next(iter(rows.values()))["k"],
            "rows": [
                {"name": name, "kind": _kind(name, taggers, encoders), "lead": lead(record), **record}
                for name, record in rows.items()
            ],
            "table": {"columns": ["embedding", *EXPORTED], "rows": [[name, *_exported(rows[name])] for name in rows]},
        }
        for target, rows in scored(study.dataset, study.embeddings).items()
    ]
    return context.fill(
        TEMPLATE,
        dataset=study.dataset.name,
        facts=study.facts,
        targets=targets,
        unclustered=_why_unclustered(study.dataset),
        flat=FLAT,
        source=context.lineage.mark(paths.clusters(study.dataset.name)),
    )


def _kind(name: str, taggers: Collection[str], encoders: Collection[str]) -> str:
    return "tagger" if name in taggers else "encoder" if name in encoders else "no network"


def scored(dataset: Dataset, embeddings: list[str]) -> dict[str, dict[str, dict]]:
    """Target -> embedding, in the recipe's order -> its record."""
    return {
        target: {name: records[name] for name in embeddings if name in records}
        for target, records in dataset.scores.items()
    }


def _exported(record: dict) -> list[float | None]:
    leading = lead(record)
    return [
        *(leading["accuracy"], *(leading["ci95"] or (None, None)), leading["chance"]),
        *(record["hungarian_accuracy"], *(record["ci95"] or (None, None)), record["chance"]),
        *(record[key] for key in ("macro_f1", "nmi", "ari", "v_measure", "silhouette")),
    ]


def _why_unclustered(dataset: Dataset) -> str:
    """Why a dataset that went through the study has no clustering; "" where it has one, or did not go through it yet."""
    if dataset.scores or not dataset.study:
        return ""
    reasons = [line.replace(", all of it", "") for line in dataset.study["skipped"] if ", all of it: " in line]
    return "; ".join(dict.fromkeys(reasons)) or "the dataset has no labels"
