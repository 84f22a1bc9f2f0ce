"""The pieces of a run: grids of four voices, with their sides and groups."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.core import paths, shards
from pipelines.core.manifest import LABELLED
from pipelines.core.tables import read_table
from pipelines.tasks import Run
from pipelines.tasks.sequences.fit.cells import VOICES

MOST_LOST = 0.01
"""Share of steps with notes that the grid has no place for, from which a piece is not one of four voices."""
COLUMNS = 2 * VOICES + 1


@dataclass(frozen=True)
class Pieces:
    """clips: rows of the manifest. grids: `(steps, 4)` uint8 of each. left_out: why pieces are not used -> how many."""

    clips: pd.DataFrame
    grids: list[np.ndarray]
    left_out: Counter

    def of(self, side: str) -> list[np.ndarray]:
        """The grids of a side."""
        return [self.grids[row] for row in self.rows(side)]

    def rows(self, side: str) -> np.ndarray:
        return np.flatnonzero(self.clips["split"].to_numpy(str) == side)


def read(run: Run) -> Pieces:
    """The pieces in four voices. Raises `ValueError` where the input is no `satb_grid`, or a side has no piece."""
    none = f"{run.input} is no grid of four voices: runs of sequences read the representation satb_grid"
    if not (run.input / "index.parquet").exists():
        raise ValueError(none)
    index = read_table(run.input / "index.parquet", shards.INDEX).set_index("clip_id")
    arrays = shards.open_shards(run.input)
    if any(array.ndim != 2 or array.shape[1] != COLUMNS or array.dtype != np.uint8 for array in arrays):
        raise ValueError(none)
    manifest = read_table(paths.manifest(run.dataset), LABELLED)
    rows, grids, left_out = [], [], Counter()
    for row, clip_id in enumerate(manifest["clip_id"]):
        place = index.loc[clip_id]
        grid = arrays[place["shard"]][place["offset"] : place["offset"] + place["length"]]
        if why := _unfit(grid):
            left_out[why] += 1
        else:
            rows.append(row)
            grids.append(np.ascontiguousarray(grid[:, :VOICES]))
    found = Pieces(manifest.iloc[rows].reset_index(drop=True), grids, left_out)
    missing = [side for side in ("train", "validation", "test") if not len(found.rows(side))]
    if missing:
        told = (
            ", ".join(f"{n} of {len(manifest)} pieces {why}" for why, n in left_out.items()) or "no piece was left out"
        )
        raise ValueError(
            f"corpus {run.dataset!r} has no {' and no '.join(missing)} pieces in four voices ({told}): give it a `split` in "
            "params.yaml, or more pieces"
        )
    return found


def _unfit(grid: np.ndarray) -> str:
    if not grid[:, :VOICES].any(axis=0).all():
        return "have fewer than four voices"
    return "have more than four voices" if np.mean(grid[:, COLUMNS - 1] > 0) > MOST_LOST else ""
