"""The frames of a run's clips, and which classes are active in each."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.core import events, paths, shards
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import read_table
from pipelines.tasks import Run


@dataclass(frozen=True)
class Frames:
    """clips: rows of the manifest that have frames, with their places in `arrays`. classes: those of training clips."""

    clips: pd.DataFrame
    events: pd.DataFrame
    classes: list[str]
    arrays: list[np.ndarray]
    hop_s: float

    def of(self, side: str) -> pd.DataFrame:
        """The clips of a side of the split."""
        return self.clips[self.clips["split"] == side].reset_index(drop=True)

    def values(self, clip) -> np.ndarray:
        """`(frames, bands)` float32 of a row of `clips`."""
        return np.asarray(self.arrays[clip.shard][clip.offset : clip.offset + clip.length], np.float32)

    def own(self, clip) -> pd.DataFrame:
        """The events of a clip that are of a known class."""
        return self.events[(self.events["clip_id"] == clip.clip_id) & self.events["label"].isin(self.classes)]

    def active(self, clip) -> np.ndarray:
        """`(frames, classes)` bool."""
        return events.grid(self.own(clip), self.classes, int(clip.length), self.hop_s)


def read(run: Run) -> Frames:
    """Raises `ValueError` where the input is no frames, `hop_s` is not theirs, or a side has no clips."""
    if not (run.input / "index.parquet").exists():
        raise ValueError(
            f"{run.input} has no frames: activity reads a representation with frames, for instance log_mel"
        )
    index = read_table(run.input / "index.parquet", shards.INDEX)
    clips = read_table(paths.manifest(run.dataset), MANIFEST).merge(index, on="clip_id")
    arrays = shards.open_shards(run.input)
    if arrays[0].ndim != 2:
        raise ValueError(f"{run.input} has rows of shape {arrays[0].shape[1:]}: activity reads frames of several bands")
    hop_s = run.options["hop_s"]
    off = (clips["duration_s"] - (clips["length"] - 1) * hop_s).abs() > 2 * hop_s
    if off.any():
        first = clips[off].iloc[0]
        found = first["duration_s"] / max(1, first["length"] - 1)
        raise ValueError(
            f"hop_s is {hop_s}, but {first['title']} has {first['length']} frames in {first['duration_s']:.2f} s: they are "
            f"{found:.4f} s apart"
        )
    missing = [side for side in ("train", "test") if not (clips["split"] == side).any()]
    if missing:
        raise ValueError(f"dataset {run.dataset!r} has no {' and no '.join(missing)} clips")
    aligned = events.read(run.dataset, run.options["target"])
    train = set(clips.loc[clips["split"] == "train", "clip_id"])
    classes = sorted(set(aligned.loc[aligned["clip_id"].isin(train), "label"]))
    if not classes:
        raise ValueError(f"no training clip of {run.dataset!r} has an event of {run.options['target']!r}")
    return Frames(clips, aligned, classes, arrays, hop_s)


def stacked(values: np.ndarray, rows: np.ndarray, context: int) -> np.ndarray:
    """`(rows, (2 * context + 1) * bands)`: each row with those around it; at an edge the first or last is repeated."""
    around = rows[:, None] + np.arange(-context, context + 1)
    return values[np.clip(around, 0, len(values) - 1)].reshape(len(rows), -1)
