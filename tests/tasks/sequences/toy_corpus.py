"""Made-up music in four voices, as arrays and as the files that stages leave: what the family's tests fit and score on."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core import paths, shards
from pipelines.core.manifest import PIECES
from pipelines.core.tables import write_table
from pipelines.notes.grids import notes
from pipelines.notes.representations import melody_grid, satb_grid
from pipelines.tasks import Run, family

SIDES = ("train",) * 8 + ("validation",) * 2 + ("test",) * 5


def pieces(n, seed=0, steps=32):
    """`n` pieces of held notes in a scale, each voice in a range of its own, with some silence."""
    rng = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    found = []
    for _ in range(n):
        degrees = np.abs(rng.integers(-1, 2, (steps // 4, 4)).cumsum(axis=0)) % 7
        grid = np.repeat(scale[degrees] + [72, 65, 57, 48], rng.integers(1, 5), axis=0)
        grid[rng.random(len(grid)) < 0.05, 3] = 0
        found.append(grid.astype(np.uint8))
    return found


def write(seed=1, grid_of=satb_grid):
    """A corpus `made` with its grid, of four voices or one; two test pieces are of a group with training pieces."""
    grids = [piece[:, :1] if grid_of is melody_grid else piece for piece in pieces(len(SIDES), seed)]
    ids = [f"{number:016x}" for number in range(len(SIDES))]
    groups = [f"g{number}" for number in range(len(SIDES))]
    groups[-2:] = groups[:2]
    table = pd.DataFrame(
        {"clip_id": ids, "path": ids, "title": [f"piece {n}" for n in range(len(ids))], "split": SIDES}
    )
    table = table.assign(
        group=groups, tags=[[]] * len(ids), duplicate_of=None, sha256=ids, source="", licence="", remarks=""
    )
    table = table.assign(n_bytes=9, duration_s=4.0, duration=8.0, n_notes=9, n_tracks=4, division=4)
    write_table(
        table.astype({"n_notes": "int32", "n_tracks": "int32", "division": "int32"}), paths.manifest("made"), PIECES
    )
    folder, rows = paths.features("made", grid_of.__name__.split(".")[-1]), []
    folder.mkdir(parents=True, exist_ok=True)
    with shards.writer(shards.shard_path(folder, 0), "uint8", (2 * grids[0].shape[1] + 1,)) as write_clip:
        for clip_id, grid in zip(ids, grids, strict=True):
            offset, length = write_clip([grid_of.compute(notes(grid), len(grid) / 4)])
            rows.append({"clip_id": clip_id, "shard": 0, "offset": offset, "length": length})
    write_table(pd.DataFrame(rows), folder / "index.parquet", shards.INDEX)
    return grids


def run(model, reads="satb_grid", **options):
    """A run of the family on that corpus, with one training."""
    defaults = {key: default for key, (default, _) in family("sequences").OPTIONS.items()}
    folder = Path("models/runs") / model / "2026"
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        name=model,
        task="sequences",
        dataset="made",
        model=model,
        input=paths.features("made", reads),
        trainings=((2026, folder),),
        options=defaults | {"samples": 6, "bars": 2} | options,
        shared={"seed": 2026, "n_bootstrap": 50},
    )
