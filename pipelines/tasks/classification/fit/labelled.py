"""The labelled clips of a run, or of its test on another dataset: their vectors, classes and sides. Networks read their frames
themselves (`deep.py`)."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core import shards, splits
from pipelines.core.files import read_json
from pipelines.core.manifest import scored_and_reference
from pipelines.core.plain import one_line, some
from pipelines.core.tables import read_table
from pipelines.tasks import Run, inputs, part
from pipelines.tasks.classification.fit import relabel

SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}
"""Of `split: grouped`."""
FOLDS = "grouped_folds"


@dataclass(frozen=True)
class Labelled:
    """clips: rows of the manifest that have a class. values: `(clips, d)`; of a network d is 0; of a model of sequences an object
    array `(clips,)`. classes, sides: of each clip. names: of dimensions."""

    clips: pd.DataFrame
    values: np.ndarray
    classes: np.ndarray
    sides: np.ndarray
    names: list[str]

    def of(self, side: str) -> np.ndarray:
        """The rows of a side."""
        return np.flatnonzero(self.sides == side)


def read(run: Run) -> Labelled:
    """Raises `ValueError` where a side has no clips, training has one class only, or test a class that training has not.

    In a cross test (`run.fitted_by`) the other dataset's test clips, or all where it has no split, are the side `test`, and there
    is no other. With `split: grouped_folds` all are (`cross_validation.parts` has the sides of each fold).
    """
    clips, values, names = vectors(run)
    everything = inputs.manifest(run)
    of_all = relabel.mapped(run, inputs.labels(run, everything, run.options["target"]))
    rows, drawn = placed(run, clips, everything, of_all != "", of_all)
    classes = of_clips(clips, everything, of_all)[rows]
    found = Labelled(clips.iloc[rows].reset_index(drop=True), values[rows], classes, drawn, names)
    if run.fitted_by:
        relabel.check(run, classes, read_json(run.trainings[0][1] / "config.json")["classes"])
    elif run.options["split"] != FOLDS:
        _check(run, found)
    elif is_deep(run):
        raise ValueError(
            f"model {run.model} is a network, which would be trained once for each fold: `split: {FOLDS}` is for classic models"
        )
    return found


def vectors(run: Run) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """`inputs.vectors` of the run; of a network, which reads its frames itself, `(clips, 0)` and no names; of a model of
    sequences an object array `(clips,)`, and no names."""
    if reads_sequences(run):
        if run.options["selection"] != "none" or run.options["leave_out"]:
            raise ValueError(f"model {run.model} reads sequences, not features: leave out `selection` and `leave_out`")
        clips = inputs.frames(run)
        return clips, sequences(run, run.input, clips["clip_id"].tolist()), []
    if not is_deep(run):
        return inputs.vectors(run)
    clips = inputs.frames(run)
    return clips, np.zeros((len(clips), 0)), []


def sequences(run: Run, source: Path, clip_ids: list[str]) -> np.ndarray:
    """Object array `(clips,)` of what the model's `encode` makes of the rows of each clip. source: shards, as `run.input` has
    them. Raises `ValueError` where a clip has no row, or rows are no notes."""
    encode = part(run.task, f"models.{run.model}").encode
    places = read_table(source / "index.parquet", shards.INDEX).set_index("clip_id").loc[clip_ids]
    arrays = shards.open_shards(source)
    if arrays[0].ndim != 2 or arrays[0].shape[1] != 3:
        raise ValueError(f"{source} has no notes of three values: model {run.model} reads `note_events`")
    if not (places["length"] > 0).all():
        raise ValueError(f"{source}: {(places['length'] == 0).sum()} clips have no notes")
    found = np.empty(len(clip_ids), dtype=object)
    for place, clip in enumerate(places.itertuples()):
        found[place] = encode(arrays[clip.shard][clip.offset : clip.offset + clip.length])
    return found


def placed(
    run: Run, clips: pd.DataFrame, everything: pd.DataFrame, known: np.ndarray, strata: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(the rows of `clips` that the run uses, the side of each). everything: the manifest; known: has each of its clips a label
    (or needs none)?; strata: the class of each, by which a split is stratified."""
    used = of_clips(clips, everything, known)
    if run.fitted_by:
        rows = np.flatnonzero(used & scored_and_reference(clips)[0].to_numpy())
        return rows, np.full(len(rows), "test")
    rows, everything = np.flatnonzero(used), everything[known]
    drawn = sides(everything, strata[known], run.options["split"], run.shared["seed"])
    return rows, of_clips(clips.iloc[rows], everything, drawn)


def left_out(run: Run, clips: pd.DataFrame, labelled: np.ndarray) -> dict[str, str]:
    """What the record of a fit says of the dataset's clips that are not among `clips`: how many have no label, how many the run's
    input lacks, and up to three titles of each. labelled: of each clip of the manifest, has it a label (or needs none)?"""
    everything = inputs.manifest(run)
    lacking = labelled & ~everything["clip_id"].isin(clips["clip_id"]).to_numpy()
    kinds = {f"clips without {run.options['target']}": ~labelled, "clips that the input lacks": lacking}
    return {name: _named(everything["title"][rows]) for name, rows in kinds.items() if rows.any()}


def without_label(run: Run, data: Labelled) -> dict[str, str]:
    """`left_out` of a run with one label a clip."""
    everything = inputs.manifest(run)
    own = relabel.mapped(run, inputs.labels(run, everything, run.options["target"]))
    return left_out(run, data.clips, own != "")


def _named(titles: pd.Series) -> str:
    return f"{len(titles)} ({some(one_line(str(title)) for title in titles)})"


def reads_sequences(run: Run) -> bool:
    """Does the run's model read clips as sequences of rows, and is no network?"""
    return hasattr(part(run.task, f"models.{run.model}"), "encode")


def is_deep(run: Run) -> bool:
    """Is the run's model a network?"""
    return hasattr(part(run.task, f"models.{run.model}"), "network")


def of_clips(clips: pd.DataFrame, everything: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """The values, one of each clip of `everything`, of `clips`."""
    return values[pd.Index(everything["clip_id"]).get_indexer(clips["clip_id"])]


def sides(clips: pd.DataFrame, classes: np.ndarray, split: str, seed: int) -> np.ndarray:
    """The side of each clip. `random` has as many clips on each side as `published`, drawn from all of them.

    clips: all of the dataset, so that a clip is on one side in all runs, whatever they read.
    """
    published = clips["split"].to_numpy(str)
    if split == "published":
        return published
    if split == FOLDS:
        return np.full(len(clips), "test")
    if split == "random":
        return np.random.default_rng(seed).permutation(published)
    return np.array(splits.assign(clips["group"], classes, SHARES, seed))


def _check(run: Run, found: Labelled) -> None:
    target = run.options["target"]
    missing = [side for side in ("train", "test") if not len(found.of(side))]
    if missing:
        raise ValueError(
            f"dataset {run.dataset!r} has no {' and no '.join(missing)} clips with a {target}: `split: grouped` draws a split"
        )
    train, test = (set(found.classes[found.of(side)].tolist()) for side in ("train", "test"))
    if len(train) < 2:
        raise ValueError(
            f"target {target!r} has one class in the train split, {train.pop()!r}; at least two are needed"
        )
    if unknown := sorted(test - train):
        counts = Counter(found.classes[found.of("test")].tolist())
        listed = ", ".join(f"{name!r} ({counts[name]} clips)" for name in unknown[:5])
        raise ValueError(f"{len(unknown)} classes of target {target!r} have test clips but no training clip: {listed}")
