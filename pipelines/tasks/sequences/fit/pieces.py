"""The pieces of a run: grids of voices, with their sides and groups."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.core import paths, shards
from pipelines.core.manifest import LABELLED
from pipelines.core.tables import read_table
from pipelines.tasks import Run

MOST_LOST = 0.01
"""Share of steps with notes that the grid has no place for, from which a piece has more voices than the grid."""
CHORALES = 4
"""Voices of the pieces that the gate `chorales` was measured on."""


@dataclass(frozen=True)
class Pieces:
    """clips: rows of the manifest. grids: `(steps, voices)` uint8 of each. left_out: why pieces are not used -> how many."""

    clips: pd.DataFrame
    grids: list[np.ndarray]
    left_out: Counter

    @property
    def voices(self) -> int:
        return self.grids[0].shape[1]

    def of(self, side: str) -> list[np.ndarray]:
        """The grids of a side."""
        return [self.grids[row] for row in self.rows(side)]

    def rows(self, side: str) -> np.ndarray:
        return np.flatnonzero(self.clips["split"].to_numpy(str) == side)


def read(run: Run) -> Pieces:
    """The pieces in as many voices as the grid has. Raises `ValueError` where the input is no grid (`notes/grids.py`), a side has
    no piece, or the run's gate is of music in other voices."""
    none = (
        f"{run.input} is no grid of voices: runs of sequences read the representations satb_grid (four voices) or "
        "melody_grid (one)"
    )
    if not (run.input / "index.parquet").exists():
        raise ValueError(none)
    index = read_table(run.input / "index.parquet", shards.INDEX).set_index("clip_id")
    arrays = shards.open_shards(run.input)
    # two columns a voice, and one of notes without a place
    if any(
        array.ndim != 2 or array.shape[1] < 3 or not array.shape[1] % 2 or array.dtype != np.uint8 for array in arrays
    ):
        raise ValueError(none)
    voices = arrays[0].shape[1] // 2
    if run.options["gate"] == "chorales" and voices != CHORALES:
        raise ValueError(
            f"`gate: chorales` of the run {run.name} has bounds of chorales in {CHORALES} voices, and {run.input} has {voices}: "
            "give the run `gate: held_out`, whose bounds are those of the corpus's own validation pieces, or `gate: none`"
        )
    manifest = read_table(paths.manifest(run.dataset), LABELLED)
    rows, grids, left_out = [], [], Counter()
    for row, clip_id in enumerate(manifest["clip_id"]):
        place = index.loc[clip_id]
        grid = arrays[place["shard"]][place["offset"] : place["offset"] + place["length"]]
        if why := _unfit(grid, voices):
            left_out[why] += 1
        else:
            rows.append(row)
            grids.append(np.ascontiguousarray(grid[:, :voices]))
    found = Pieces(manifest.iloc[rows].reset_index(drop=True), grids, left_out)
    missing = [side for side in ("train", "validation", "test") if not len(found.rows(side))]
    if missing:
        told = (
            ", ".join(f"{n} of {len(manifest)} pieces {why}" for why, n in left_out.items()) or "no piece was left out"
        )
        raise ValueError(
            f"corpus {run.dataset!r} has no {' and no '.join(missing)} pieces in {_counted(voices)} ({told}): give it a `split` "
            "in params.yaml, or more pieces"
        )
    return found


def _unfit(grid: np.ndarray, voices: int) -> str:
    if not grid[:, :voices].any(axis=0).all():
        return f"have fewer than {_counted(voices)}" if voices > 1 else "have no notes"
    return f"have more than {_counted(voices)}" if np.mean(grid[:, -1] > 0) > MOST_LOST else ""


def _counted(voices: int) -> str:
    return "one voice" if voices == 1 else "four voices" if voices == 4 else f"{voices} voices"
