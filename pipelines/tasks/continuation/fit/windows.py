"""The windows of a run: pieces in four voices, cut into windows of equal length."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.core import shards
from pipelines.core.tables import read_table
from pipelines.tasks import Run, inputs

BAR = 16
"""Steps: 16ths of a bar of four quarters."""
VOICES = 4
COLUMNS = 2 * VOICES + 1
"""Of a grid: pitches, where notes begin, and how many notes have no place in it."""
MOST_LOST = 0.01
"""Share of steps with notes that have no place in the grid, from which a piece is not one of four voices."""


@dataclass(frozen=True)
class Windows:
    """clips: rows of the manifest, a piece each. grids: `(n, steps, 8)` uint8, of each window the pitches of four voices (0:
    silence) and where their notes begin. piece: `(n,)`, row of `clips`; place: `(n,)`, number of the window in its piece, from
    0. left_out: why pieces are not used -> how many."""

    clips: pd.DataFrame
    grids: np.ndarray
    piece: np.ndarray
    place: np.ndarray
    left_out: Counter

    @property
    def group(self) -> np.ndarray:
        """`(n,)`: the group of each window's piece."""
        return self.clips["group"].to_numpy(str)[self.piece]

    @property
    def last(self) -> np.ndarray:
        """`(n,)`: is it the last of its piece?"""
        return np.append(np.diff(self.piece) != 0, True)

    def of(self, side: str) -> "Windows":
        """Those of the pieces of a side."""
        chosen = self.clips["split"].to_numpy(str) == side
        rows = chosen[self.piece]
        number = np.cumsum(chosen) - 1
        clips = self.clips[chosen].reset_index(drop=True)
        return Windows(clips, self.grids[rows], number[self.piece[rows]], self.place[rows], self.left_out)


def read(run: Run) -> Windows:
    """The windows of all pieces in four voices; what is left at the end of a piece is left out. Raises `ValueError` where the
    input is no `satb_grid`, or a side has no piece of two windows."""
    clips = inputs.frames(run)
    index = read_table(run.input / "index.parquet", shards.INDEX).set_index("clip_id")
    arrays = shards.open_shards(run.input)
    if any(array.ndim != 2 or array.shape[1] != COLUMNS or array.dtype != np.uint8 for array in arrays):
        raise ValueError(f"{run.input} is no grid of four voices: runs of {run.task} read the representation satb_grid")
    steps = run.options["bars"] * BAR
    rows, parts, left_out = [], [], Counter()
    for row, clip_id in enumerate(clips["clip_id"]):
        at = index.loc[clip_id]
        grid = arrays[at["shard"]][at["offset"] : at["offset"] + at["length"]]
        if why := _unfit(grid, steps):
            left_out[why] += 1
        else:
            rows.append(row)
            parts.append(cut(grid[:, : 2 * VOICES], steps))
    kept = clips.iloc[rows].reset_index(drop=True)
    missing = [side for side in ("train", "validation", "test") if side not in set(kept["split"])]
    if missing:
        told = ", ".join(f"{n} of {len(clips)} pieces {why}" for why, n in left_out.items()) or "none was left out"
        raise ValueError(
            f"corpus {run.dataset!r} has no {' and no '.join(missing)} pieces to cut into windows of {run.options['bars']} bars "
            f"({told}): give it a `split` in params.yaml, more pieces, or the run fewer `bars`"
        )
    return Windows(
        clips=kept,
        grids=np.concatenate(parts),
        piece=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        place=np.concatenate([np.arange(len(part)) for part in parts]),
        left_out=left_out,
    )


def cut(grid: np.ndarray, steps: int) -> np.ndarray:
    """`(n, steps, columns)`: a grid `(length, columns)` cut end to end; the rest at its end is dropped."""
    n = len(grid) // steps
    return grid[: n * steps].reshape(n, steps, grid.shape[1])


def shifted(grids: np.ndarray, semitones: np.ndarray) -> np.ndarray:
    """Windows `(n, steps, 8)`, each moved by its number of semitones `(n,)`; silence stays. Raises `ValueError` where a pitch
    leaves 1 to 127."""
    pitch = grids[..., :VOICES].astype(np.int16)
    moved = np.where(pitch > 0, pitch + semitones[:, None, None], 0)
    if ((moved < 1) & (pitch > 0)).any() or (moved > 127).any():
        raise ValueError("a window cannot be transposed so far: a pitch would leave 1 to 127")
    return np.concatenate([moved.astype(np.uint8), grids[..., VOICES:]], axis=-1)


def seam(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the last pitch of each voice in A, its first in B), `(n, 4)` integers of windows `(n, steps, 8)`; 0 of a voice that is
    silent throughout."""
    return _first_pitch(a[:, ::-1]), _first_pitch(b)


def _first_pitch(grids: np.ndarray) -> np.ndarray:
    pitch = grids[..., :VOICES].astype(int)
    place = (pitch > 0).argmax(axis=1)[:, None]
    return np.take_along_axis(pitch, place, axis=1)[:, 0]


def _unfit(grid: np.ndarray, steps: int) -> str:
    if not grid[:, :VOICES].any(axis=0).all():
        return "have fewer than four voices"
    if np.mean(grid[:, COLUMNS - 1] > 0) > MOST_LOST:
        return "have more than four voices"
    return "have fewer than two windows" if len(grid) < 2 * steps else ""
