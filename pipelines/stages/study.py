"""study: other clusterings, probes, neighbours, the tree of classes, and paired comparisons of embeddings."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from pipelines.core import embeddings, params, paths
from pipelines.core.files import write_json
from pipelines.core.manifest import independent_clips, scored_and_reference
from pipelines.core.record import write_record
from pipelines.core.tables import column, read_table, write_table
from pipelines.evaluation import clustering, hierarchy, neighbours, paired, probes
from pipelines.harness import command, executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.metrics import scaling
from pipelines.metrics.intervals import above, written

NEIGHBOURS = pa.schema(
    [
        column("clip_id", pa.string(), "the scored clip"),
        column("embedding", pa.string(), "by which clips are near"),
        column("rank", pa.int32(), "1 is the nearest"),
        column("neighbour", pa.string(), "a scored clip of another group"),
        column("cosine", pa.float32(), "cosine of the two centred embeddings"),
    ]
)


def main(dataset: str) -> None:
    log = start(f"study {dataset}")
    settings = params.read()
    options, names = settings["study"], embeddings.names(settings, dataset)
    for key, known in (("clusterers", clustering.CLUSTERERS), ("probes", probes.PROBES)):
        if unknown := [name for name in options[key] if name not in known]:
            raise SystemExit(
                f"study.{key} in params.yaml names {', '.join(map(str, unknown))}; use some of {', '.join(known)}"
            )
    clips = independent_clips(dataset)
    scored, _ = (mask.to_numpy() for mask in scored_and_reference(clips))
    assigned = read_table(paths.clusters(dataset) / "assignments.parquet", embeddings.ASSIGNMENTS)
    found, near, answers, skipped = {}, [], [], []

    def leave_out(said: str) -> None:
        if said not in skipped:  # of every embedding the same
            skipped.append(said)
            log.warning("left out: %s", said)

    tasks = [embeddings.Task(dataset, name) for name in names]
    results = executor.run(
        of_embedding, tasks, settings["executor"], clips.loc[scored, "duration_s"].sum() * len(names)
    )
    for name, one in zip(names, progress(results, f"study {dataset}", len(names), unit="embedding"), strict=True):
        near.append(one["near"])
        answers += one["answers"]
        for said in one["skipped"]:
            leave_out(said)
        for target, parts in one["targets"].items():
            all_parts = found.setdefault(target, {"clusterers": {}, "probes": {}, "neighbours": {}, "dendrogram": {}})
            for part, key, record in parts:
                (all_parts[part].setdefault(key, {}) if key else all_parts[part])[name] = record

    def attempt(what: str, evaluate: Callable[[], object]) -> object:
        """A part that this dataset is too small for (a class of one clip) is named, and the others go on."""
        try:
            return evaluate()
        except ValueError as error:
            leave_out(f"{what}: {error}")
            return None

    answered = pd.concat(answers, ignore_index=True) if answers else embeddings.ANSWERS.empty_table().to_pandas()
    for target, parts in found.items():
        these = assigned[assigned["target"] == target]
        parts["paired"] = attempt(f"{target}, paired", lambda these=these: _paired(these, clips, options))
        parts["paired_probes"] = {}
        for probe in parts["probes"]:
            these = answered[(answered["target"] == target) & (answered["probe"] == probe)]
            compared = attempt(f"{target}, {probe} probe, paired", lambda these=these: _paired(these, clips, options))
            parts["paired_probes"][probe] = compared
    folder = paths.study(dataset)
    write_json(folder / "scores.json", {"targets": found, "skipped": skipped})
    write_table(pd.concat(near, ignore_index=True), folder / "neighbours.parquet", NEIGHBOURS)
    write_table(answered, folder / "answers.parquet", embeddings.ANSWERS)
    lines = table(found)
    probed = [record for parts in found.values() for records in parts["probes"].values() for record in records.values()]
    write_record(
        "study",
        dataset,
        figures={
            "scored clips": int(scored.sum()),
            "embeddings": len(names),
            "left out": len(skipped),
            **{
                f"{probe} probe accuracy, {target}, {name}": round(record["accuracy"], 4)
                for target, parts in found.items()
                for probe, records in parts["probes"].items()
                for name, record in records.items()
            },
        },
        table=folder / "neighbours.parquet",
        checks={
            "a probe finds more than the majority": (
                _found_more(probed),
                "the lower end of an accuracy's interval is above the majority's share and above permuted labels"
                if probed
                else "; ".join(skipped) or "the dataset has no labels",
            )
        },
        plots={
            f"{target}, by {name}": {
                "kind": "tree",
                "linkage": record["linkage"],
                "names": record["names"],
                "title": _said_of_tree(name, record),
            }
            for target, parts in found.items()
            for name, record in parts["dendrogram"].items()
        },
        note=lines,
    )
    for line in lines.splitlines():
        log.info("%s", line)


@threadpool_limits.wrap(limits=1)  # as workers have; more would change last bits
def of_embedding(task: embeddings.Task) -> dict:
    """Of one embedding: "near", a table; "answers", tables of probes; "targets", target -> [(part, key in it or "", record)];
    "skipped", what is left out."""
    options, name = params.read()["study"], task.name
    clips = independent_clips(task.dataset)
    scored, reference = (mask.to_numpy() for mask in scored_and_reference(clips))
    vectors = embeddings.read(paths.embeddings(task.dataset, name), clips["clip_id"].tolist())
    points = scaling.centre(vectors[scored], vectors[reference])
    near = _neighbours(points, clips[scored], name, options["n_neighbours"])
    targets, answers, skipped = {}, [], []

    def attempt(what: str, evaluate: Callable[[], object]) -> object:
        try:
            return evaluate()
        except ValueError as error:
            skipped.append(f"{what}: {error}")
            return None

    for column_name in (column_name for column_name in clips if column_name.startswith("target_")):
        target = column_name.removeprefix("target_")
        parts = targets.setdefault(target, [])
        for part, key, record in _parts(vectors, points, clips, scored, reference, column_name, options, attempt):
            if record is None:
                continue
            if part == "probes":
                record, answered = record
                answers.append(answered.assign(target=target, probe=key, embedding=name))
            parts.append((part, key, record))
    return {"near": near, "answers": answers, "targets": targets, "skipped": skipped}


def _parts(vectors, points, clips, scored, reference, column_name: str, options: dict, attempt: Callable):
    """Yield (part, key in it or "", record or None) of one embedding and one target; of a probe (record, its answers)."""
    target = column_name.removeprefix("target_")
    labelled = clips[column_name].notna().to_numpy()
    inside = labelled[scored]
    classes = sorted(clips.loc[scored & labelled, column_name].unique())
    if len(classes) < 2 or inside.sum() <= len(classes):
        few = f"{len(classes)} class{'' if len(classes) == 1 else 'es'} of {inside.sum()} clips"
        attempt(f"{target}, all of it", lambda: _refuse(few))
        return
    number = {label: place for place, label in enumerate(classes)}
    labels = np.array([number[label] for label in clips.loc[scored & labelled, column_name]])
    groups = clips.loc[scored & labelled, "group"].to_numpy()
    draws = options["n_bootstrap"], options["n_permutations"], options["seed"]
    # a class or a group that is scored is not learnt from anywhere else
    fresh = reference & ~scored & labelled & clips[column_name].isin(classes) & ~clips["group"].isin(groups)
    if fresh.any():
        used = fresh | (scored & labelled)
        of_used = np.array([number[label] for label in clips.loc[used, column_name]])
        given = {"groups": clips.loc[used, "group"].to_numpy(), "test": scored[used]}
        learnt = partial(probes.evaluate, vectors[used], of_used, classes, **given)
    else:
        learnt = partial(probes.evaluate, vectors[scored & labelled], labels, classes, groups=groups)
    ids, names = clips.loc[scored & labelled, "clip_id"].to_numpy(), np.array(classes)

    def asked(probe: str) -> tuple[dict, pd.DataFrame]:
        record, predicted = learnt(probe, *draws)
        given = predicted[predicted >= 0]
        return record, pd.DataFrame({"clip_id": ids, "actual": names[labels], "predicted": names[given]})

    clustered = partial(clustering.evaluate, points[inside], labels, classes, options["n_init"], *draws, groups=groups)
    voted = partial(neighbours.agreement, points[inside], labels, classes, options["n_neighbours"])
    parts = [
        *(("clusterers", name, name, lambda name=name: clustered(clusterer=name)[0]) for name in options["clusterers"]),
        *(("probes", name, f"{name} probe", lambda name=name: asked(name)) for name in options["probes"]),
        ("neighbours", "", "neighbours", lambda: voted(draws[0], draws[2], groups=groups)),
        ("dendrogram", "", "tree", lambda: hierarchy.dendrogram(points[inside], labels, classes, *draws)),
    ]
    for part, key, what, evaluate in parts:
        yield part, key, attempt(f"{target}, {what}", evaluate)


def _neighbours(points: np.ndarray, clips: pd.DataFrame, name: str, k: int) -> pd.DataFrame:
    rows, cosines = neighbours.nearest(points, k, clips["group"].to_numpy())
    ids = clips["clip_id"].to_numpy()
    there = rows >= 0
    return pd.DataFrame(
        {
            "clip_id": np.repeat(ids, there.sum(axis=1)),
            "embedding": name,
            "rank": (np.nonzero(there)[1] + 1).astype("int32"),
            "neighbour": ids[rows[there]],
            "cosine": cosines[there].astype("float32"),
        }
    )


def _refuse(reason: str) -> None:
    raise ValueError(reason)


def _found_more(probed: list[dict]) -> bool | None:
    """Is any probe's accuracy above its trivial figure? None where no interval tells."""
    answered = [above(record["accuracy_ci95"], record["trivial"]) for record in probed]
    return None if all(value is None for value in answered) else any(answered)


def _said_of_tree(name: str, record: dict) -> str:
    if record["cophenetic"] is None:
        return name
    return (
        f"{name}: cophenetic correlation {record['cophenetic']:.2f}, labels permuted {record['cophenetic_chance']:.2f}"
    )


def _paired(rows: pd.DataFrame, clips: pd.DataFrame, options: dict) -> dict:
    """Embedding against embedding, by group; rows: what was predicted of one target by one method."""
    if rows["embedding"].nunique() < 2:
        raise ValueError("no two embeddings to compare")
    right = (rows["actual"] == rows["predicted"]).groupby([rows["clip_id"], rows["embedding"]]).first().unstack()
    right = right[rows["embedding"].unique()]
    groups = clips.set_index("clip_id").loc[right.index, "group"].to_numpy()
    columns = {name: right[name].to_numpy(dtype=bool) for name in right}
    return paired.compare(columns, options["n_bootstrap"], options["seed"], groups=groups)


def table(found: dict) -> str:
    """Probes beside clusterings as a Markdown table: how much is there that clusters do not show?"""
    lines = ["| target | embedding | how | score | 95% | trivial |", "|" + " --- |" * 6]
    for target, parts in found.items():
        for probe, records in parts["probes"].items():
            for name, record in records.items():
                lines.append(
                    f"| {target} | {name} | {probe} probe | {record['accuracy']:.3f} | {written(record['accuracy_ci95'])} | "
                    f"{record['trivial']:.3f} |"
                )
        for clusterer, records in parts["clusterers"].items():
            for name, record in records.items():
                lines.append(
                    f"| {target} | {name} | {clusterer}, matched | {record['hungarian_accuracy']:.3f} | "
                    f"{written(record['ci95'])} | {record['chance']:.3f} |"
                )
    return "\n".join(lines)


if __name__ == "__main__":
    command.run(main, __doc__)
