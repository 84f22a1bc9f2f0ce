"""Read and check the outputs of stages from which the pages are made.

Optional parts that are missing are None or empty, never an error: notes, split or clustering of a dataset, figures of a tagger.
"""

import csv
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipelines import recipe
from pipelines.core import params, paths, shards, training_clips
from pipelines.core.embeddings import ASSIGNMENTS
from pipelines.core.files import read_json
from pipelines.core.manifest import QUARANTINE, scored_and_reference, usable_clips
from pipelines.core.tables import column, read_table

# the columns of data/clusters/*/maps.parquet that the page relies on
MAPS = pa.schema(
    [
        column("clip_id", pa.string(), "the clip"),
        column("embedding", pa.string(), "what was projected"),
        column("method", pa.string(), "tsne or umap"),
        column("x", pa.float32(), "first coordinate, no unit"),
        column("y", pa.float32(), "second coordinate, no unit"),
    ]
)
PLACES = pa.schema([*MAPS, column("side", pa.string(), "reference, held_out, outside")])
# the columns of data/study/*/neighbours.parquet that the page relies on
NEIGHBOURS = pa.schema(
    [
        column("clip_id", pa.string(), "the clip"),
        column("embedding", pa.string(), "by which clips are near"),
        column("rank", pa.int32(), "1 is the nearest"),
        column("neighbour", pa.string(), "a scored clip"),
        column("cosine", pa.float32(), "cosine of the two centred embeddings"),
    ]
)


@dataclass
class Dataset:
    """One dataset: its entry of params.yaml, its tables, and its clustering.

    clips: the manifest's rows that were decoded, with PCM place (`shard`, `offset`, `length` in samples) from the audio index.
    scored: mask over `clips`, the clips the clustering scores.
    scores, confusions: as in data/clusters/<name>/, target -> embedding -> record; empty before the cluster stage ran.
    study, leaks, robustness: as in data/study/<name>/scores.json, data/leaks/<name>.json and data/robustness/<name>.json; empty
    before those stages ran. trees: what it shows -> a dendrogram as `drawing.draw` takes it. neighbours: of each scored clip the
    nearest ones.
    ood, places: what data/ood/<name>/ says of its clips in the training dataset's space; empty before that stage ran.
    notes: the path of the exact notes, where the dataset has them.
    """

    name: str
    entry: dict
    clips: pd.DataFrame
    scored: pd.Series
    quarantine: pd.DataFrame
    scores: dict = field(default_factory=dict)
    confusions: dict = field(default_factory=dict)
    assignments: pd.DataFrame = field(default_factory=lambda: ASSIGNMENTS.empty_table().to_pandas())
    maps: pd.DataFrame = field(default_factory=lambda: MAPS.empty_table().to_pandas())
    study: dict = field(default_factory=dict)
    trees: dict[str, dict] = field(default_factory=dict)
    neighbours: pd.DataFrame = field(default_factory=lambda: NEIGHBOURS.empty_table().to_pandas())
    leaks: dict = field(default_factory=dict)
    ood: dict = field(default_factory=dict)
    places: pd.DataFrame = field(default_factory=lambda: PLACES.empty_table().to_pandas())
    robustness: dict = field(default_factory=dict)
    notes: Path | None = None
    raw_figures: dict = field(default_factory=dict)


@dataclass
class State:
    """A whole project: parameters, dvc.lock, datasets by name, taggers' configs and histories. absent: datasets of the recipe
    that could not be read. space: the training dataset's clips with their roles and classes, as in data/space; empty before that
    stage ran."""

    settings: dict
    stages: dict
    datasets: dict[str, Dataset]
    absent: list[str]
    taggers: dict[str, dict]
    histories: dict[str, list[dict]]
    space: pd.DataFrame


def read(only: Collection[str] | None = None) -> State:
    """Read the project in the working folder. only: these datasets, where it is not all of them. Raises `SchemaError` where a
    table is not what it promises."""
    settings = params.read()
    entries = {name: entry for name, entry in settings["datasets"].items() if only is None or name in only}
    names = params.tagger_names(settings)
    configs = {name: paths.trained(name) / "config.json" for name in names}
    space = paths.space() / "clips.parquet"
    absent = [name for name in entries if not (paths.audio(name) / "index.parquet").exists()]
    return State(
        settings=settings,
        stages=recipe.locked_stages(),
        datasets={name: read_dataset(name, entry) for name, entry in entries.items() if name not in absent},
        absent=absent,
        taggers={name: read_json(path) for name, path in configs.items() if path.exists()},
        histories={name: read_history(path.with_name("history.csv")) for name, path in configs.items()},
        space=(
            read_table(space, training_clips.CLIPS)
            if space.exists()
            else training_clips.CLIPS.empty_table().to_pandas()
        ),
    )


def read_dataset(name: str, entry: dict) -> Dataset:
    clips = usable_clips(name)
    index = read_table(paths.audio(name) / "index.parquet", shards.INDEX, columns=shards.INDEX.names)
    clips = clips.merge(index, on="clip_id", validate="one_to_one")
    notes = paths.raw(name) / "notes.parquet"
    found = Dataset(
        name=name,
        entry=entry,
        clips=clips,
        scored=scored_and_reference(clips)[0],
        quarantine=read_table(paths.audio(name) / "quarantine.parquet", QUARANTINE),
        notes=notes if notes.exists() else None,
    )
    record = paths.record("raw", name)
    if record.exists():
        found.raw_figures = read_json(record)["figures"]
    folder = paths.clusters(name)
    if folder.exists():
        found.scores = read_json(folder / "scores.json")
        found.confusions = read_json(folder / "confusions.json")
        found.assignments = read_table(folder / "assignments.parquet", ASSIGNMENTS)
        found.maps = read_table(folder / "maps.parquet", MAPS)
    scores, audit = paths.study(name) / "scores.json", paths.leaks(name)
    if scores.exists():
        found.study = read_json(scores)
        found.trees = read_json(paths.record("study", name))["plots"]
    near = scores.with_name("neighbours.parquet")
    if near.exists():
        found.neighbours = read_table(near, NEIGHBOURS)
    if audit.exists():
        found.leaks = read_json(audit)
    elsewhere, changed = paths.ood(name), paths.robustness(name)
    if elsewhere.exists():
        found.ood = read_json(elsewhere / "scores.json")
        found.places = read_table(elsewhere / "places.parquet", PLACES)
    if changed.exists():
        found.robustness = read_json(changed)
    return found


def read_history(path: Path) -> list[dict[str, float]]:
    """A row an epoch of a tagger's training; empty where there is no history."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def tagger_names(state: State) -> list[str]:
    return params.tagger_names(state.settings)


def ordered(state: State, names) -> list[str]:
    """Embeddings in the recipe's order: taggers, encoders, baselines, then what the recipe no longer names."""
    recipe_order = [*tagger_names(state), *(state.settings.get("encoders") or {}), *state.settings["baselines"]]
    return [name for name in recipe_order if name in names] + sorted(set(names) - set(recipe_order))
