"""robustness: changes of clusterings, probes, tag scores and embeddings after noise, MP3, a pitch shift, or on a short
excerpt."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from pipelines.core import embeddings, params, paths
from pipelines.core.chunks import tag_matrix
from pipelines.core.files import read_json, write_json
from pipelines.core.manifest import independent_clips, scored_and_reference
from pipelines.core.record import write_record
from pipelines.core.tables import read_table
from pipelines.core.training_clips import left_out
from pipelines.evaluation import before_after, clustering
from pipelines.evaluation.folds import folds
from pipelines.harness import command, executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.metrics import scaling
from pipelines.metrics.intervals import above, written

CLEAN = "clean"
N_FOLDS = 5  # of a probe, where there is no split
KEPT = ("k", "macro_f1", "nmi", "ari", "v_measure", "silhouette")


def main(dataset: str) -> None:
    log = start(f"robustness {dataset}")
    settings = params.read()
    names = params.embedding_names(settings)
    clips = independent_clips(dataset)
    scored, _ = (mask.to_numpy() for mask in scored_and_reference(clips))
    table = read_table(paths.degraded(dataset), embeddings.DEGRADED)
    chosen = clips["clip_id"].isin(table["clip_id"]).to_numpy()
    degradations = list(dict.fromkeys(table["degradation"]))
    found, moved, tagged, skipped = {}, {}, {}, []
    tasks = [embeddings.Task(dataset, name) for name in names] if degradations else []
    sound_s = clips.loc[chosen, "duration_s"].sum() * len(degradations) * len(names)
    results = executor.run(of_embedding, tasks, settings["executor"], sound_s)
    for task, one in zip(tasks, progress(results, f"robustness {dataset}", len(tasks), unit="embedding"), strict=True):
        moved[task.name], tagged[task.name] = one["moved"], one["tags"]
        skipped += one["skipped"]
        for target, parts in one["targets"].items():
            for part, record in parts.items():
                found.setdefault(target, {}).setdefault(part, {})[task.name] = record
    for line in skipped:
        log.warning("left out: %s", line)
    result = {
        "n": int(chosen.sum()),
        "n_scored": int(scored.sum()),
        "degradations": degradations,
        "targets": {target: {part: _there(r) for part, r in parts.items()} for target, parts in found.items()},
        "tags": _there(tagged),
        "moved": _there(moved),
        "skipped": skipped,
    }
    write_json(paths.robustness(dataset), result)
    measure = next((f"{probe} probe" for probe in settings["study"]["probes"]), "kmeans")
    lost, lines = _lost(result, measure), table_of(result, measure)
    write_record(
        "robustness",
        dataset,
        figures={
            "clips": result["n"],
            "degradations": len(degradations),
            "left out": len(skipped),
            **_worst(result, measure),
        },
        checks={
            "what clean clips show is shown by changed ones": (
                not lost,
                "; ".join(lost)
                or f"{measure}: every score of clean clips above the trivial one is also above it for degraded clips",
            )
        },
        plots={
            f"{target}, {measure}": {
                "kind": "bars",
                "values": {
                    f"{name}, {key}": r[key]["difference"] for name, r in parts[measure].items() for key in degradations
                },
                "title": "change of accuracy",
            }
            for target, parts in result["targets"].items()
            if parts[measure]
        },
        note=lines,
    )
    for line in lines.splitlines():
        log.info("%s", line)


@threadpool_limits.wrap(limits=1)  # as workers have; more would change last bits
def of_embedding(task: embeddings.Task) -> dict:
    """Of one embedding: "moved"; "tags", None where there are none; "targets", target -> clusterer or probe -> record; "skipped",
    what is left out."""
    dataset, name, settings = task.dataset, task.name, params.read()
    options = settings["robustness"]
    clips = independent_clips(dataset)
    scored, reference = (mask.to_numpy() for mask in scored_and_reference(clips))
    table = read_table(paths.degraded(dataset), embeddings.DEGRADED)
    chosen = clips["clip_id"].isin(table["clip_id"]).to_numpy()
    degradations = list(dict.fromkeys(table["degradation"]))
    outputs = {key: part.set_index("clip_id") for key, part in table[table["embedding"] == name].groupby("degradation")}
    ids, groups = clips.loc[chosen, "clip_id"], clips.loc[chosen, "group"].to_numpy()
    draws = options["n_bootstrap"], options["seed"]
    found, skipped = {}, []

    def attempt(what: str, evaluate: Callable, *arguments) -> dict | None:
        """A part that this dataset is too small for is named, and the others go on."""
        try:
            return evaluate(*arguments)
        except ValueError as error:
            skipped.append(f"{what}: {error}")
            return None

    vectors = embeddings.read(paths.embeddings(dataset, name), clips["clip_id"].tolist())
    versions = {CLEAN: vectors[chosen]}
    versions |= {key: np.stack(outputs[key].loc[ids, "vector"].to_list()) for key in degradations}
    points = {key: scaling.centre(values, vectors[reference]) for key, values in versions.items()}
    moved = attempt(f"{name}, cosine", before_after.cosine, points, groups, *draws)
    for column in (column for column in clips if column.startswith("target_")):
        target, labelled = column.removeprefix("target_"), clips[column].notna().to_numpy()
        asked, inside = chosen & labelled, labelled[chosen]
        if attempt(f"{target}, {name}", _enough, clips.loc[asked, column]) is None:
            continue
        parts = found.setdefault(target, {})
        for clusterer in ("kmeans", *settings["study"]["clusterers"]):
            some = {key: values[inside] for key, values in points.items()}
            arguments = f"{target}, {name}, {clusterer}", _clustered, some, clips[asked], column, clusterer, options
            parts[clusterer] = attempt(*arguments)
        for probe in settings["study"]["probes"]:
            some = {key: values[inside] for key, values in versions.items()}
            arguments = some, clips, scored, reference, asked, column, probe, options
            parts[f"{probe} probe"] = attempt(f"{target}, {name}, {probe} probe", _probed, vectors, *arguments)
    tags = None
    if dataset == settings["training"]["dataset"] and name in params.trained_names(settings):
        known = clips[chosen & ~left_out(clips, settings["training"].get("leave_out")).to_numpy()]
        tags = attempt(f"tags, {name}", _tagged, dataset, name, known, outputs, degradations, *draws)
    return {"moved": moved, "tags": tags, "targets": found, "skipped": skipped}


def _enough(labels: pd.Series) -> int:
    k = labels.nunique()
    if k < 2 or len(labels) <= k:
        raise ValueError(f"{k} class{'' if k == 1 else 'es'} of {len(labels)} clips")
    return k


def _there(records: dict) -> dict:
    return {name: record for name, record in records.items() if record is not None}


def _clustered(points: dict, clips: pd.DataFrame, column: str, clusterer: str, options: dict) -> dict:
    """Every version is clustered and matched separately; for the interval of a difference both matchings are fixed."""
    classes = sorted(clips[column].unique())
    labels = np.array([classes.index(label) for label in clips[column]])
    right, others = {}, {}
    for key, values in points.items():
        record, predicted, _ = clustering.evaluate(
            values, labels, classes, options["n_init"], 1, options["n_permutations"], options["seed"], clusterer
        )
        right[key] = predicted == labels
        others[key] = {"trivial": record["chance"], **{name: record[name] for name in KEPT}}
    records = before_after.accuracy(right, clips["group"].to_numpy(), options["n_bootstrap"], options["seed"])
    return {key: record | others[key] for key, record in records.items()}


def _probed(vectors, versions: dict, clips, scored, reference, asked, column: str, probe: str, options: dict) -> dict:
    """A probe taught as the study teaches it, on clean clips, and asked about every version."""
    labelled = clips[column].notna().to_numpy()
    classes = sorted(clips.loc[scored & labelled, column].unique())
    group = clips["group"].to_numpy()
    # a class or a group that is scored is not learnt from anywhere else
    fresh = reference & ~scored & labelled & clips[column].isin(classes).to_numpy()
    fresh &= ~np.isin(group, group[scored & labelled])
    used = fresh | (scored & labelled) if fresh.any() else scored & labelled
    labels = np.array([classes.index(label) for label in clips.loc[used, column]])
    side = np.where(scored[used], 0, -1) if fresh.any() else folds(labels, group[used], N_FOLDS, options["seed"])
    rows = np.flatnonzero(asked[used])
    predicted, majority = before_after.ask(
        vectors[used], labels, group[used], side, rows, versions, classes, probe, options["seed"]
    )
    right = {key: values == labels[rows] for key, values in predicted.items()}
    records = before_after.accuracy(right, group[used][rows], options["n_bootstrap"], options["seed"])
    # as `trivial` of probes: the majority of training, or clean answers with permuted labels (their mean share, exactly)
    n = len(rows)
    shuffled = np.bincount(labels[rows], minlength=len(classes)) @ np.bincount(predicted[CLEAN], minlength=len(classes))
    trivial = max(float((majority == labels[rows]).mean()), float(shuffled) / n**2)
    return {key: record | {"trivial": trivial} for key, record in records.items()}


def _tagged(dataset: str, name: str, clips: pd.DataFrame, outputs: dict, degradations: list[str], *draws: int) -> dict:
    """A tagger's macro ROC-AUC over clips of the classes it was trained on."""
    tags = read_json(paths.trained(name) / "config.json")["tags"]
    table = read_table(paths.predictions(dataset, name), embeddings.PREDICTIONS).set_index("clip_id")
    ids = clips["clip_id"]
    scores = {CLEAN: np.stack(table.loc[ids, "scores"].to_list())}
    scores |= {key: np.stack(outputs[key].loc[ids, "scores"].to_list()) for key in degradations}
    records = before_after.roc_auc(tag_matrix(clips, tags), scores, clips["group"].to_numpy(), *draws)
    return {key: record | {"trivial": 0.5} for key, record in records.items()}


def _lost(result: dict, measure: str) -> list[str]:
    """Where clean clips clear the trivial figure and changed ones do not."""
    return [
        f"{target}: {name} after {key} {record['score']:.3f}, trivial {record['trivial']:.3f}"
        for target, parts in result["targets"].items()
        for name, records in parts[measure].items()
        if above(records[CLEAN]["ci95"], records[CLEAN]["trivial"])
        for key, record in records.items()
        if not above(record["ci95"], record["trivial"])
    ]


def _worst(result: dict, measure: str) -> dict[str, float]:
    """The largest loss by any degradation, of each embedding's accuracy by `measure` and each tagger's ROC-AUC; 0: none lost."""
    parts = {
        f"largest loss of accuracy ({measure}), {target}": parts[measure] for target, parts in result["targets"].items()
    }
    return {
        f"{what}, {name}": round(max([0.0, *(-record[key]["difference"] for key in result["degradations"])]), 4)
        for what, records in (parts | {"largest loss of ROC-AUC": result["tags"]}).items()
        for name, record in records.items()
    }


def table_of(result: dict, measure: str) -> str:
    """Changes of one measure and of the tags, and cosines, as a Markdown table."""
    degradations = result["degradations"]
    lines = [f"| of | embedding | {CLEAN} | {' | '.join(degradations)} |", "|" + " --- |" * (3 + len(degradations))]
    parts = {f"{target}, {measure}": parts[measure] for target, parts in result["targets"].items()}
    for what, records in (parts | {"macro ROC-AUC": result["tags"]}).items():
        for name, record in records.items():
            cells = " | ".join(
                f"{record[key]['difference']:+.3f} {written(record[key]['difference_ci95'], '+.3f')}"
                for key in degradations
            )
            lines.append(f"| {what} | {name} | {record[CLEAN]['score']:.3f} | {cells} |")
    for name, record in result["moved"].items():
        cells = " | ".join(f"{record[key]['score']:.3f}" for key in degradations)
        lines.append(f"| cosine to clean | {name} | other clips: {record['others']:.3f} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    command.run(main, __doc__)
