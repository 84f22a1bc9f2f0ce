"""ood: out-of-distribution scores, nearest classes and own clusters of other music in the training dataset's space.

Other music is another dataset, or the classes of the training dataset that were left out of training. Everything is fitted on
clips that taggers were trained on (`space`); other music is compared with test clips of the classes in training.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from pipelines.core import embeddings, params, paths, training_clips
from pipelines.core.files import write_json
from pipelines.core.manifest import scored_and_reference, usable_clips
from pipelines.core.tables import column, read_table, write_table
from pipelines.evaluation import ood, projection
from pipelines.features import POOLED
from pipelines.harness import command, executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.metrics import scaling
from pipelines.models import baselines
from pipelines.stages import ood_record
from pipelines.stages.ood_record import SIDES

MAPS = {"pca": projection.pca_onto, "umap": projection.umap_onto}
PLACES = pa.schema(
    [
        column("clip_id", pa.string(), "the clip, as in its manifest"),
        column("side", pa.string(), "reference (the map is fitted on it), held_out, outside"),
        column("embedding", pa.string(), "what was projected"),
        column("method", pa.string(), "pca or umap"),
        column("x", pa.float32(), "first coordinate, no unit"),
        column("y", pa.float32(), "second coordinate, no unit"),
    ]
)
OUTSIDE = pa.schema(
    [
        column("clip_id", pa.string(), "a clip of the other music"),
        column("embedding", pa.string(), "by which it is near"),
        column("target", pa.string(), "what the training dataset's classes are"),
        column("nearest", pa.string(), "the class most of its nearest training clips have"),
        column("mahalanobis", pa.float32(), "distance to the nearest class mean, in deviations"),
        column("knn", pa.float32(), "distance to the k-th nearest training clip, both scaled to length 1, 0 to 2"),
    ]
)


def main(dataset: str) -> None:
    log = start(f"ood {dataset}")
    settings = params.read()
    options, trained = settings["ood"], settings["training"]["dataset"]
    sides, n_in_training = _sides(dataset, settings)
    found = {
        "of": trained,
        "left_out": training_clips.in_words(settings["training"].get("leave_out")) if dataset == trained else "",
        "reason": _nothing(dataset, settings, sides, n_in_training),
        "n": {**{side: len(clips) for side, clips in sides.items()}, "in_training": n_in_training},
        "k": options["k"],
        "targets": {},
        "skipped": [],
    }
    places, clips = [], []
    if found["reason"]:
        log.info("%s", found["reason"])
    else:
        found["skipped"] = parts(sides["outside"], dataset, settings)[1]
        tasks = [embeddings.Task(dataset, name) for name in _comparable(dataset, settings)]
        seconds = usable_clips(dataset)["duration_s"].sum() * len(tasks)
        results = executor.run(compared, tasks, settings["executor"], seconds)
        shown = progress(results, f"ood {dataset}", len(tasks), unit="embedding")
        for task, one in zip(tasks, shown, strict=True):
            places += one["places"]
            clips += one["clips"]
            found["skipped"] += one["skipped"]
            for target, records in one["targets"].items():
                found["targets"].setdefault(target, {})[task.name] = records
        for line in found["skipped"]:
            log.warning("left out: %s", line)
    folder = paths.ood(dataset)
    write_json(folder / "scores.json", found)
    for name, tables, schema in (("places", places, PLACES), ("clips", clips, OUTSIDE)):
        tables = [table for table in tables if table is not None]
        table = pd.concat(tables, ignore_index=True) if tables else schema.empty_table().to_pandas()
        write_table(table, folder / f"{name}.parquet", schema)
    ood_record.write(dataset, found, places, options, folder)
    for line in ood_record.table_of(found).splitlines():
        log.info("%s", line)


@threadpool_limits.wrap(limits=1)  # as workers have; more would change last bits
def compared(task: embeddings.Task) -> dict:
    """Of one embedding: "places", tables; "targets", target -> records of each part; "clips", a table of `OUTSIDE`
    for each target, None where there is none; "skipped", what there are too few clips for."""
    settings = params.read()
    sides, _ = _sides(task.dataset, settings)
    points = _points(task.name, task.dataset, settings, sides)
    found = {"places": _maps(task.name, points, sides, settings["ood"]), "targets": {}, "clips": [], "skipped": []}

    def attempt(what: str, evaluate: Callable[[], object]) -> object:
        """A part that there are too few clips for is named, and the others go on."""
        try:
            return evaluate()
        except ValueError as error:
            found["skipped"].append(f"{what}: {error}")
            return None

    groups, _ = parts(sides["outside"], task.dataset, settings)
    for target in (key.removeprefix("target_") for key in sides["reference"] if key.startswith("target_")):
        records, rows = _place(task.name, target, points, sides, groups, settings["ood"], attempt)
        found["targets"][target] = records
        found["clips"].append(rows)
    return found


def _sides(dataset: str, settings: dict) -> tuple[dict[str, pd.DataFrame], int]:
    """(side -> its clips, the number left out because they or their work were in training)."""
    space = read_table(paths.space() / "clips.parquet", training_clips.CLIPS)
    outside, n_in_training = outside_clips(dataset, settings, space)
    known = {side: space[space["role"] == side].reset_index(drop=True) for side in SIDES[:2]}
    return known | {"outside": outside}, n_in_training


def outside_clips(dataset: str, settings: dict, space: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """(the clips to compare, the number left out because they or their work were in training).

    Of the training dataset: the left-out classes. Of another: its scored clips. A clip was in training if the same file was in
    training or validation or, in a dataset of the same module (where names of works mean the same), its group was.
    """
    trained = settings["training"]["dataset"]
    if dataset == trained:
        return space[space["role"] == "outside"].reset_index(drop=True), int((space["role"] == "shared").sum())
    clips = usable_clips(dataset)
    clips = clips[scored_and_reference(clips)[0]]
    known = space["role"].isin(["reference", "validation"])
    in_training = clips["clip_id"].isin(space.loc[known, "clip_id"])
    if settings["datasets"][dataset]["module"] == settings["datasets"][trained]["module"]:
        in_training |= clips["group"].isin(training_clips.training_groups(space["role"], space["group"]))
    return clips[~in_training].reset_index(drop=True), int(in_training.sum())


def parts(outside: pd.DataFrame, dataset: str, settings: dict) -> tuple[dict[str, np.ndarray], list[str]]:
    """(name -> mask over `outside`, what was left out): all of it, and each of its own classes (`target: class`).

    Of the training dataset: the left-out classes alone, since by its other targets nothing was left out.
    """
    options, found, skipped = settings["ood"], {"all": np.ones(len(outside), bool)}, []
    targets = [name.removeprefix("target_") for name in outside if name.startswith("target_")]
    if dataset == settings["training"]["dataset"]:
        targets = [target for target in targets if target in settings["training"]["leave_out"]]
    for target in targets:
        counts = outside[f"target_{target}"].value_counts()
        large = sorted(counts[counts >= options["min_clips"]].index, key=lambda name: (-counts[name], name))
        for name in sorted(large[: options["max_classes"]]):
            found[f"{target}: {name}"] = (outside[f"target_{target}"] == name).to_numpy()
        if n_rest := len(counts) - min(len(large), options["max_classes"]):
            skipped.append(
                f"{target}: {n_rest} classes are not scored apart (fewer than {options['min_clips']} clips, or beyond the "
                f"{options['max_classes']} largest)"
            )
    return found, skipped


def _nothing(dataset: str, settings: dict, sides: dict[str, pd.DataFrame], n_in_training: int) -> str:
    """Why nothing can be compared; empty if something can."""
    trained = settings["training"]["dataset"]
    if sides["outside"].empty and dataset == trained:
        if not settings["training"].get("leave_out"):
            return "no class was left out of training, so nothing can be compared: list classes in training.leave_out"
        return f"the works of all {n_in_training} clips of the left-out classes have training clips of other classes"
    if sides["outside"].empty:
        return f"all {n_in_training} clips, or other clips of their works, are in the training data"
    if sides["held_out"].empty:
        return f"{trained} has no test clips of the classes in training, so there is nothing to compare with"
    return ""


def _comparable(dataset: str, settings: dict) -> list[str]:
    """The embeddings that the training dataset has too: vectors made elsewhere may be of one dataset alone."""
    return [name for name in embeddings.names(settings, dataset) if (paths.space() / f"{name}.parquet").exists()]


def _points(name: str, dataset: str, settings: dict, sides: dict[str, pd.DataFrame]) -> dict[str, np.ndarray]:
    """Side -> `(clips, d)`, centred on the reference; a baseline's map is the one fitted on the reference."""
    ids = {side: clips["clip_id"].tolist() for side, clips in sides.items()}
    vectors = {side: embeddings.read(paths.space() / f"{name}.parquet", ids[side]) for side in SIDES[:2]}
    if dataset == settings["training"]["dataset"]:
        vectors["outside"] = embeddings.read(paths.space() / f"{name}.parquet", ids["outside"])
    elif name in settings["baselines"]:
        pooled = read_table(paths.pooled(dataset), POOLED).set_index("clip_id")
        fitted_on = read_table(paths.space() / "pooled.parquet", POOLED).set_index("clip_id").loc[ids["reference"]]
        values = pooled.loc[ids["outside"], fitted_on.columns].to_numpy(np.float64)
        vectors["outside"] = baselines.load(name).embed(
            values, fitted_on.to_numpy(np.float64), **settings["baselines"][name]
        )
    else:
        vectors["outside"] = embeddings.read(paths.embeddings(dataset, name), ids["outside"])
    d, others = (vectors[side].shape[1] for side in ("reference", "outside"))
    if d != others:
        raise SystemExit(
            f"ood {dataset}: {name} has {d} dimensions for {settings['training']['dataset']} and {others} for {dataset}; vectors "
            "of different models need different names in `encoders` of params.yaml"
        )
    return {side: scaling.centre(part, vectors["reference"]) for side, part in vectors.items()}


def _maps(
    name: str, points: dict[str, np.ndarray], sides: dict[str, pd.DataFrame], options: dict
) -> list[pd.DataFrame]:
    """Places of at most `map_clips` of each side on maps fitted on the reference's."""
    drawn = {side: _draw(len(part), options["map_clips"], options["seed"]) for side, part in points.items()}
    every = np.concatenate([points[side][drawn[side]] for side in SIDES])
    ids = np.concatenate([sides[side]["clip_id"].to_numpy()[drawn[side]] for side in SIDES])
    side = np.repeat(SIDES, [len(drawn[one]) for one in SIDES])
    found = []
    for method in options["maps"]:
        x, y = MAPS[method](points["reference"][drawn["reference"]], every, options["seed"]).T
        found.append(
            pd.DataFrame({"clip_id": ids, "side": side, "embedding": name, "method": method, "x": x, "y": y}).astype(
                {"x": "float32", "y": "float32"}
            )
        )
    return found


def _draw(n: int, at_most: int, seed: int) -> np.ndarray:
    """Row numbers of all of `n` clips, or of `at_most` of them, in order."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:at_most])


def _place(
    name: str, target: str, points: dict, sides: dict, groups: dict[str, np.ndarray], options: dict, attempt: Callable
) -> tuple[dict, pd.DataFrame | None]:
    """(part -> record of one embedding and one target, a row of `OUTSIDE` a clip)."""
    labelled = sides["reference"][f"target_{target}"].notna().to_numpy()
    reference, held_out = points["reference"][labelled], points["held_out"]
    label = sides["reference"].loc[labelled, f"target_{target}"]
    classes = sorted(label.unique())
    labels = np.array([classes.index(one) for one in label], dtype=np.int64)
    draws = options["n_bootstrap"], options["seed"]
    records, clips = {}, None
    for part, mask in groups.items():
        foreign, what = points["outside"][mask], f"{target}, {name}, {part}"
        works = tuple(sides[side]["group"].to_numpy() for side in ("held_out", "outside"))
        works = works[0], works[1][mask]
        detected = attempt(
            what,
            lambda foreign=foreign, works=works: ood.detection(
                held_out, foreign, reference, labels, classes, options["k"], *draws, works
            ),
        )
        near = attempt(
            what,
            lambda foreign=foreign, works=works: ood.nearest_classes(
                foreign, reference, labels, classes, options["k"], *draws, works[1]
            ),
        )
        # as many as a class has: k-means cuts a larger group in two
        n_drawn = max(options["min_clips"], round(len(held_out) / max(1, len(classes))))
        some = _draw(len(foreign), n_drawn, options["seed"])
        few, few_works = foreign[some], (works[0], works[1][some])
        own = attempt(
            f"{what}, own cluster",
            lambda few=few, few_works=few_works: ood.own_cluster(
                held_out,
                few,
                len(classes),
                options["n_init"],
                draws[0],
                options["n_permutations"],
                draws[1],
                few_works,
            )[0],
        )
        records[part] = {
            "detection": detected[0] if detected else None,
            "nearest": near[0] if near else None,
            "own_cluster": own,
        }
        if part == "all" and detected and near:
            clips = pd.DataFrame(
                {
                    "clip_id": sides["outside"]["clip_id"],
                    "embedding": name,
                    "target": target,
                    "nearest": [classes[i] for i in near[1]],
                    "mahalanobis": detected[1]["mahalanobis"][1].astype("float32"),
                    "knn": detected[1]["knn"][1].astype("float32"),
                }
            )
    return records, clips


if __name__ == "__main__":
    command.run(main, __doc__)
