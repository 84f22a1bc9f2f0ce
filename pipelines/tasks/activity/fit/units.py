"""The clips of a run, what a model reads of them, and which classes play in each unit: a frame, or a segment of `clip_s` s."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from pipelines.core import events, paths, shards
from pipelines.core.files import read_json
from pipelines.core.manifest import LABELLED, scored_and_reference
from pipelines.core.tables import read_table
from pipelines.tasks import Run, inputs
from pipelines.tasks.activity.fit import class_maps

EDGE_S = 1e-6
"""An event that reaches into a segment by no more does not touch it: times are sums of floats."""


@dataclass(frozen=True)
class Units:
    """clips: rows of the manifest that the input has; of frames with their places in `arrays`, of a table in the order of
    `vectors` `(clips, d)`. classes: those of training clips. unit_s: length of a unit; hop_s: of a frame."""

    clips: pd.DataFrame
    events: pd.DataFrame
    classes: list[str]
    arrays: list[np.ndarray]
    vectors: np.ndarray | None
    level: str
    unit_s: float
    hop_s: float

    def of(self, side: str) -> pd.DataFrame:
        """The clips of a side of the split."""
        return self.clips[self.clips["split"] == side].reset_index(drop=True)

    def count(self, clip) -> int:
        """Units of a row of `clips`: its frames, or its whole segments, one at least."""
        if self.level == "frame":
            return int(clip.length)
        return 1 if self.vectors is not None else max(1, int(clip.duration_s / self.unit_s + EDGE_S))

    def frames(self, clip) -> np.ndarray:
        """`(frames, bands)` float32 of a clip."""
        return np.array(self.arrays[clip.shard][clip.offset : clip.offset + clip.length], np.float32)

    def segments(self, clip) -> list[np.ndarray]:
        """The frames of each segment of a clip; the last frames of a short one are repeated from its beginning."""
        rows, length = self.frames(clip), round(self.unit_s / self.hop_s)
        return [
            np.take(rows, np.arange(length) + round(number * self.unit_s / self.hop_s), axis=0, mode="wrap")
            for number in range(self.count(clip))
        ]

    def inputs(self, clip, context: int) -> np.ndarray:
        """`(units, d)` float32 for a head: each frame with those around it, the mean and deviation of each segment's frames, or
        the clip's vector."""
        if self.vectors is not None:
            return self.vectors[clip.row][None]
        if self.level == "frame":
            return stacked(self.frames(clip), np.arange(clip.length), context)
        return np.stack([np.concatenate([part.mean(axis=0), part.std(axis=0)]) for part in self.segments(clip)])

    @cached_property
    def _by_clip(self) -> dict[str, pd.DataFrame]:
        known = self.events[self.events["label"].isin(self.classes)]
        return dict(list(known.groupby("clip_id", sort=False)))

    def own(self, clip) -> pd.DataFrame:
        """The events of a clip that are of a known class."""
        return self._by_clip.get(clip.clip_id, self.events.iloc[:0])

    def active(self, clip) -> np.ndarray:
        """`(units, classes)` bool."""
        own, n = self.own(clip), self.count(clip)
        if self.level == "frame":
            return events.grid(own, self.classes, n, self.hop_s)
        length = clip.duration_s if self.vectors is not None else self.unit_s
        found = np.zeros((n, len(self.classes)), bool)
        for event in own.itertuples():
            first = int((event.onset_s + EDGE_S) / length)
            last = max(first + 1, int(np.ceil((event.offset_s - EDGE_S) / length)))
            found[first:last, self.classes.index(event.label)] = True
        return found


def read(run: Run) -> Units:
    """Raises `ValueError` where the input is neither frames nor a table, `hop_s` is not theirs, or a side has no clips.

    Of a cross test the classes are those of the fitted run, and the scored clips of the other dataset are the side `test`.
    """
    level, hop_s = run.options["level"], run.options["hop_s"]
    arrays, vectors = [], None
    if (run.input / "index.parquet").exists():
        clips, arrays = _frames(run, hop_s)
    elif level == "clip":
        clips, vectors, _ = inputs.vectors(run)
        vectors = vectors.astype(np.float32)
        clips = clips.assign(row=np.arange(len(clips)))
    else:
        raise ValueError(
            f"{run.input} has no frames: activity of frames reads a representation with frames, as log_mel"
        )
    if run.fitted_by:
        clips = clips[scored_and_reference(clips)[0]].assign(split="test")
    missing = [side for side in ("train", "test") if not (clips["split"] == side).any()]
    if missing and not run.fitted_by:
        raise ValueError(f"dataset {run.dataset!r} has no {' and no '.join(missing)} clips")
    aligned = _labelled(
        run, class_maps.classes(events.read(run.dataset, run.options["target"]), run.options["class_map"])
    )
    train = set(clips.loc[clips["split"] == "train", "clip_id"])
    classes = sorted(set(aligned.loc[aligned["clip_id"].isin(train), "label"]))
    if run.fitted_by:
        classes = read_json(run.trainings[0][1] / "config.json")["classes"]
        if unknown := sorted(set(aligned["label"]) - set(classes)):
            raise ValueError(
                f"dataset {run.dataset!r} has events of {', '.join(unknown)}, and {run.fitted_by} knows {', '.join(classes)}: "
                f"under `labels` of {run.name} say which of them each is, or null to leave it out"
            )
    elif not classes:
        raise ValueError(f"no training clip of {run.dataset!r} has an event of {run.options['target']!r}")
    unit_s = hop_s if level == "frame" else run.options["clip_s"]
    return Units(clips.reset_index(drop=True), aligned, classes, arrays, vectors, level, unit_s, hop_s)


def stacked(values: np.ndarray, rows: np.ndarray, context: int) -> np.ndarray:
    """`(rows, (2 * context + 1) * bands)`: each row with those around it; at an edge the first or last is repeated."""
    around = rows[:, None] + np.arange(-context, context + 1)
    return values[np.clip(around, 0, len(values) - 1)].reshape(len(rows), -1)


def _frames(run: Run, hop_s: float) -> tuple[pd.DataFrame, list[np.ndarray]]:
    index = read_table(run.input / "index.parquet", shards.INDEX)
    clips = read_table(paths.manifest(run.dataset), LABELLED).merge(index, on="clip_id")
    arrays = shards.open_shards(run.input)
    if arrays[0].ndim != 2:
        raise ValueError(f"{run.input} has rows of shape {arrays[0].shape[1:]}: activity reads frames of several bands")
    off = (clips["duration_s"] - (clips["length"] - 1) * hop_s).abs() > 2 * hop_s
    if off.any():
        first = clips[off].iloc[0]
        found = first["duration_s"] / max(1, first["length"] - 1)
        raise ValueError(
            f"hop_s is {hop_s}, but {first['title']} has {first['length']} frames in {first['duration_s']:.2f} s: they are "
            f"{found:.4f} s apart"
        )
    return clips, arrays


def _labelled(run: Run, aligned: pd.DataFrame) -> pd.DataFrame:
    """Events with the classes that the option `labels` maps theirs to."""
    table, there = run.options["labels"], set(aligned["label"])
    if unknown := [str(name) for name in table if str(name) not in there]:
        raise ValueError(
            f"labels of {run.name}: dataset {run.dataset!r} has no {run.options['target']} {', '.join(unknown)}; it has "
            f"{', '.join(sorted(there))}"
        )
    new = {label: table.get(label, label) for label in there}
    return aligned.assign(label=aligned["label"].map(new)).dropna(subset="label").reset_index(drop=True)
