"""cluster: k-means on each embedding of a dataset, clusters matched to classes, scores, and maps."""

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from pipelines.core import embeddings, params, paths
from pipelines.core.files import write_json
from pipelines.core.manifest import independent_clips, scored_and_reference
from pipelines.core.record import write_record
from pipelines.core.tables import column, write_table
from pipelines.evaluation import clustering, projection
from pipelines.evaluation.contrast import FLAT
from pipelines.evaluation.crossed import lead
from pipelines.harness import command, executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.metrics import scaling
from pipelines.metrics.intervals import above, written

PROJECTIONS = pa.schema(
    [
        column("clip_id", pa.string(), "the clip, as in the manifest"),
        column("embedding", pa.string(), "what was projected"),
        column("method", pa.string(), "tsne or umap"),
        column("x", pa.float32(), "first coordinate, no unit"),
        column("y", pa.float32(), "second coordinate, no unit"),
    ]
)


def main(dataset: str) -> None:
    log = start(f"cluster {dataset}")
    settings = params.read()
    names = embeddings.names(settings, dataset)
    clips = independent_clips(dataset)
    scored, reference = scored_and_reference(clips)
    records, confusions, assignments, maps, skipped = {}, {}, [], [], {}
    tasks = [embeddings.Task(dataset, name) for name in names]
    results = executor.run(clustered, tasks, settings["executor"], clips.loc[scored, "duration_s"].sum() * len(names))
    for name, found in zip(names, progress(results, f"cluster {dataset}", len(names), unit="embedding"), strict=True):
        maps += found["maps"]
        skipped |= found["skipped"]
        for target, (record, confusion, assigned) in found["targets"].items():
            records.setdefault(target, {})[name] = record
            confusions.setdefault(target, {})[name] = confusion
            assignments.append(assigned)
    for line in skipped.values():
        log.warning("left out: %s", line)
    folder = paths.clusters(dataset)
    write_json(folder / "scores.json", records)
    write_json(folder / "confusions.json", confusions)
    assigned = pd.concat(assignments, ignore_index=True) if assignments else embeddings.ASSIGNMENTS.empty_table()
    write_table(assigned, folder / "assignments.parquet", embeddings.ASSIGNMENTS)
    write_table(
        pd.concat(maps, ignore_index=True) if maps else PROJECTIONS.empty_table(), folder / "maps.parquet", PROJECTIONS
    )
    best = {target: max(found, key=lambda name: lead(found[name])["accuracy"]) for target, found in records.items()}
    write_record(
        "cluster",
        dataset,
        figures={
            "scored clips": int(scored.sum()),
            "centred on": int(reference.sum()),
            "embeddings": len(names),
            **_scores(records),
        },
        table=folder / "assignments.parquet",
        checks=_checks(records, best, skipped),
        plots={
            f"{target}: {best[target]}, matched": {
                "kind": "matrix",
                "counts": confusions[target][best[target]]["counts"],
                "names": confusions[target][best[target]]["classes"],
                "title": f"{target}: {best[target]}",
            }
            for target in records
        },
        note=table(records),
    )
    for line in table(records).splitlines():
        log.info("%s", line)


@threadpool_limits.wrap(limits=1)  # as workers have; more would change last bits
def clustered(task: embeddings.Task) -> dict:
    """Of one embedding: "maps", tables; "targets", target -> (record, confusion, table of assignments); "skipped", target -> why
    it is left out."""
    options, name = params.read()["clustering"], task.name
    clips = independent_clips(task.dataset)
    scored, reference = scored_and_reference(clips)
    vectors = embeddings.read(paths.embeddings(task.dataset, name), clips["clip_id"].tolist())
    points = scaling.centre(vectors[scored], vectors[reference])
    rows = clips[scored].reset_index(drop=True)
    found = {"maps": [], "targets": {}, "skipped": {}}
    for method, project in (("tsne", projection.tsne), ("umap", projection.umap)):
        if method in options["maps"]:
            x, y = project(points, options["seed"]).T
            table = {"clip_id": rows["clip_id"], "embedding": name, "method": method, "x": x, "y": y}
            found["maps"].append(pd.DataFrame(table))
    for column_name in (column_name for column_name in clips if column_name.startswith("target_")):
        target, labelled = column_name.removeprefix("target_"), rows[column_name].notna().to_numpy()
        classes = sorted(rows.loc[labelled, column_name].unique())
        if len(classes) < 2 or labelled.sum() <= len(classes):
            why = f"{target}: {len(classes)} classes of {labelled.sum()} clips cannot be clustered"
            found["skipped"][target] = why
            continue
        actual = np.array([classes.index(label) for label in rows.loc[labelled, column_name]])
        record, predicted, confusion = clustering.evaluate(
            points[labelled],
            actual,
            classes,
            options["n_init"],
            options["n_bootstrap"],
            options["n_permutations"],
            options["seed"],
            n_repeats=options["n_repeats"],
            groups=rows.loc[labelled, "group"].to_numpy(),
        )
        assigned = {
            "clip_id": rows.loc[labelled, "clip_id"].to_numpy(),
            "target": target,
            "embedding": name,
            "actual": [classes[i] for i in actual],
            "predicted": [classes[i] for i in predicted],
        }
        confusion = {"classes": classes, "counts": confusion.tolist()}
        found["targets"][target] = record, confusion, pd.DataFrame(assigned)
    return found


def _scores(records: dict) -> dict[str, float]:
    """The two scores by which embeddings are compared, of each target and embedding."""
    return {
        f"{what}, {target}, {name}": round(value, 4)
        for target, names in records.items()
        for name, found in names.items()
        for what, value in {
            "held-out accuracy" if found["crossed"] else "matched accuracy": lead(found)["accuracy"],
            "adjusted Rand index": found["ari"],
        }.items()
    }


def _checks(records: dict, best: dict, skipped: dict) -> dict:
    """All that dvc.yaml declares; None where there is nothing to judge."""
    nothing = "; ".join(skipped.values()) or "the dataset has no labels"
    flat = {
        name: found["contrast"]["spread"]
        for names in records.values()
        for name, found in names.items()
        if found["contrast"]["spread"] < FLAT
    }
    checks = {
        f"{target}: {name} better than chance": (
            above(found["ci95"], found["chance"]),
            f"accuracy {found['accuracy']:.3f} {written(found['ci95'])}, chance {found['chance']:.3f}",
        )
        for target, name in best.items()
        for found in [lead(records[target][name])]
    } or {"better than chance": (None, nothing)}
    return checks | {
        "distances tell clips apart": (
            not flat if records else None,
            "; ".join(f"{name}: all pairs are about equally far, spread {value:.3f}" for name, value in flat.items())
            or (f"spread of pair distances {FLAT} or more in every embedding" if records else nothing),
        )
    }


def table(records: dict) -> str:
    """The scores as a Markdown table."""
    lines = [
        "| target | embedding | n | k | held-out accuracy | 95% | chance | matched accuracy | macro F1 | NMI | ARI |",
        "|" + " --- |" * 11,
    ]
    for target, names in records.items():
        for name, found in names.items():
            leading = lead(found)
            lines.append(
                f"| {target} | {name} | {found['n']} | {found['k']} | {leading['accuracy']:.3f} | {written(leading['ci95'])} | "
                f"{leading['chance']:.3f} | {found['hungarian_accuracy']:.3f} | {found['macro_f1']:.3f} | "
                f"{found['nmi']:.3f} | {found['ari']:.3f} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    command.run(main, __doc__)
