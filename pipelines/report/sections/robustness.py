"""Changes of scores after noise, MP3, a pitch shift, or on a short excerpt."""

from pathlib import Path

from markupsafe import Markup

from pipelines.core import paths
from pipelines.report.charts import percent
from pipelines.report.context import Context

TITLE = "Robustness"
ORDER = 60
TEMPLATE = Path(__file__).with_suffix(".html.j2")
CLEAN = "clean"
DEGRADATIONS = {
    "noise_20db": ("noise, 20 dB", "white noise, 20 dB below the clip's mean power: audible hiss"),
    "noise_10db": ("noise, 10 dB", "white noise, 10 dB below the clip's mean power: loud hiss"),
    "mp3_64": ("MP3, 64 kbit/s", "coded as MP3 at a constant 64 kbit/s and decoded"),
    "pitch_up": ("pitch +1", "a semitone higher by phase vocoder, which also smears attacks"),
    "pitch_down": ("pitch −1", "a semitone lower by phase vocoder, which also smears attacks"),
    "excerpt_3s": ("3 s excerpt", "three seconds from a random position, repeated if a tagger reads longer chunks"),
}
MEASURES = {
    "linear probe": ("Accuracy of logistic regression, trained on original training clips", "the most frequent class"),
    "knn probe": ("Accuracy of a vote of the nearest original training clips", "the most frequent class"),
    "kmeans": ("Matched accuracy: k-means of the degraded clips only, with a new matching", "labels permuted"),
    "agglomerative": (
        "Matched accuracy: Ward's clustering of the degraded clips only, with a new matching",
        "labels permuted",
    ),
    "gaussian_mixture": (
        "Matched accuracy: a Gaussian mixture of the degraded clips only, with a new matching",
        "labels permuted",
    ),
}
NAMES = {"kmeans": "k-means", "knn probe": "k-NN probe", "gaussian_mixture": "Gaussian mixture"}
FULL = 0.5  # a change as large as this has the darkest cell


def render(context: Context) -> Markup | None:
    """Tables of changes; None before the robustness stage ran, or where nothing was degraded."""
    dataset, embeddings = context.study.dataset, context.study.embeddings
    found = dataset.robustness
    if not found or not found["degradations"]:
        return None
    parts: dict[str, list] = {}
    for target, measures in found["targets"].items():
        for measure, records in measures.items():
            if records:
                parts.setdefault(measure, []).append(_table(target, records, embeddings, found["degradations"]))
    panes = [
        {
            "key": measure,
            "name": NAMES.get(measure, measure.replace("_", " ")),
            "about": about,
            "trivial": trivial,
            "tables": tables,
        }
        for measure, tables in parts.items()
        for about, trivial in [MEASURES.get(measure, (measure, "the trivial figure"))]
    ]
    panes.sort(key=lambda pane: list(MEASURES).index(pane["key"]) if pane["key"] in MEASURES else len(MEASURES))
    if found["tags"]:
        table = _table("tags", found["tags"], embeddings, found["degradations"])
        about = "Macro ROC-AUC of the tags the taggers were trained on"
        panes.append({"key": "tags", "name": "tags", "about": about, "trivial": "a constant", "tables": [table]})
    return context.fill(
        TEMPLATE,
        dataset=dataset.name,
        grouped=bool(context.study.facts["groups"]),
        n=found["n"],
        n_scored=found["n_scored"],
        degradations=[(key, *DEGRADATIONS.get(key, (key.replace("_", " "), key))) for key in found["degradations"]],
        panes=panes,
        worst=_worst(panes[0]["tables"]) if panes else [],
        moved=[(name, found["moved"][name]) for name in embeddings if name in found["moved"]],
        skipped=found["skipped"],
        source=context.lineage.mark(paths.robustness(dataset.name)),
    )


def _table(target: str, records: dict, embeddings: list[str], degradations: list[str]) -> dict:
    """A row an embedding: its clean record and a cell a degradation."""
    rows = [
        {
            "name": name,
            "clean": records[name][CLEAN],
            "cells": [_cell(key, records[name][key]) for key in degradations],
        }
        for name in embeddings
        if name in records
    ]
    trivial = sum(row["clean"]["trivial"] for row in rows) / len(rows) if rows else None
    return {"target": target, "rows": rows, "n": rows[0]["clean"]["n"] if rows else 0, "trivial": trivial}


def _cell(key: str, record: dict) -> dict:
    """A record with what its cell shows: `sign` "down" or "up" where the interval of the difference leaves out 0, else "" (also
    where there is no interval); and `share`, how dark."""
    low, high = record["difference_ci95"] or (0, 0)
    sign = "down" if high < 0 else "up" if low > 0 else ""
    return record | {
        "key": key,
        "sign": sign,
        "share": percent(0.55 * min(abs(record["difference"]) / FULL, 1) if sign else 0),
    }


def _worst(tables: list[dict]) -> list[dict]:
    """Of each table, how many cells are down, of how many, and the row and cell with the largest drop."""
    found = []
    for table in tables:
        cells = [(row, cell) for row in table["rows"] for cell in row["cells"]]
        if cells:
            row, cell = min(cells, key=lambda pair: pair[1]["difference"])
            down = sum(cell["sign"] == "down" for _, cell in cells)
            found.append({"target": table["target"], "down": down, "of": len(cells), "row": row, "cell": cell})
            found[-1]["degradation"] = DEGRADATIONS.get(cell["key"], (cell["key"].replace("_", " "),))[0]
    return found
