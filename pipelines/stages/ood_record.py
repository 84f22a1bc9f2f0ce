"""The record of the stage ood: figures, checks, plot and table."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core.record import write_record
from pipelines.metrics.intervals import above, written

SIDES = ("reference", "held_out", "outside")
ALL = ", all"  # the part that is all clips of outside


def write(dataset: str, found: dict, places: list[pd.DataFrame], options: dict, folder: Path) -> None:
    """Write the record. found: as in scores.json; places: a table a map, as in places.parquet; options: `ood` of params.yaml."""
    aurocs = {
        f"{name}, {part}": record["detection"]["knn"]
        for names in list(found["targets"].values())[:1]  # nearness knows no target
        for name, records in names.items()
        for part, record in records.items()
        if record["detection"]
    }
    wanted = len(options["maps"]) * sum(min(found["n"][side], options["map_clips"]) for side in SIDES)
    finite = sum(int(np.isfinite(table[["x", "y"]]).all(axis=1).sum()) for table in places)
    detected = {what: value for what, value in aurocs.items() if what.endswith(ALL) and above(value["ci95"], 0.5)}
    said = "; ".join(f"{what}: AUROC {value['auroc']:.3f}" for what, value in detected.items())
    n_embeddings = len({table["embedding"].iloc[0] for table in places})
    write_record(
        "ood",
        dataset,
        figures={
            **{side.replace("_", " "): found["n"][side] for side in SIDES},
            "left out, in the training data": found["n"]["in_training"],
            **{
                f"AUROC against held-out clips (k-NN), {what.removesuffix(ALL)}": round(value["auroc"], 4)
                for what, value in aurocs.items()
                if what.endswith(ALL)
            },
            **({"why nothing is placed": found["reason"]} if found["reason"] else {}),
        },
        table=folder / "clips.parquet",
        checks={
            "every clip is placed": (
                finite == wanted * n_embeddings,
                found["reason"] or f"{finite} of {wanted * n_embeddings} places on the maps are finite",
            ),
            "like the training music": (
                dataset == found["of"] or not detected,
                found["reason"] or said or "in no embedding does it differ from held-out clips of the training dataset",
            ),
        },
        plots={
            "AUROC against held-out clips, k-NN (0.5: no difference)": {
                "kind": "bars",
                "values": {what: value["auroc"] for what, value in aurocs.items()},
                "title": f"{dataset}: AUROC by k-NN",
            }
        }
        if aurocs
        else {},
        note=table_of(found),
    )


def table_of(found: dict) -> str:
    """Out-of-distribution scores as a Markdown table."""
    if found["reason"]:
        return found["reason"]
    lines = [
        "| target | embedding | outside | n | AUROC Mahalanobis | 95% of it | AUROC k-NN | 95% | nearest class | own cluster |",
        "|" + " --- |" * 10,
    ]
    for target, names in found["targets"].items():
        for name, records in names.items():
            for part, record in records.items():
                if not (record["detection"] and record["nearest"]):
                    continue
                detection, classes, own = record["detection"], record["nearest"]["classes"], record["own_cluster"]
                best = max(classes, key=lambda label: classes[label]["share"])
                scores = " | ".join(
                    f"{detection[key]['auroc']:.3f} | {written(detection[key]['ci95'])}"
                    for key in ("mahalanobis", "knn")
                )
                lines.append(
                    f"| {target} | {name} | {part} | {detection['n_outside']} | {scores} | {best} {classes[best]['share']:.2f} | "
                    + ("– |" if not own else f"{'yes' if own['own'] else 'no'}, F1 {own['f1']:.2f} |")
                )
    return "\n".join(lines)
