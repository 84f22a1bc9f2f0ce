"""Made-up music whose windows have continuations that can be told: voices that walk by steps, each piece in a key of its own."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core import paths, shards
from pipelines.core.manifest import PIECES
from pipelines.core.tables import write_table
from pipelines.tasks import Run, family
from pipelines.tasks.continuation.fit.windows import BAR, Windows, cut

SIDES = ("train",) * 14 + ("validation",) * 6 + ("test",) * 8
SCALE = np.array([0, 2, 4, 5, 7, 9, 11])


def piece(rng, bars=8, key=None):
    """A grid `(16 bars, 9)`: every quarter each voice moves by at most a step of the scale."""
    degrees = rng.integers(0, 7, 4) + rng.integers(-1, 2, (4 * bars, 4)).cumsum(axis=0)
    key = rng.integers(12) if key is None else key
    pitch = SCALE[degrees % 7] + 12 * (degrees // 7) + np.array([72, 65, 60, 53]) + key - 6
    begins = np.zeros((len(pitch), 4, 4), np.uint8)
    begins[:, 0] = 1
    grid = np.zeros((BAR * bars, 9), np.uint8)
    grid[:, :4], grid[:, 4:8] = np.repeat(pitch, 4, axis=0), begins.reshape(-1, 4)
    return grid


def windows(n=8, bars=8, seed=0, groups=None):
    """The windows, of a bar each, of `n` pieces, all of one side."""
    rng = np.random.default_rng(seed)
    parts = [cut(piece(rng, bars)[:, :8], BAR) for _ in range(n)]
    clips = pd.DataFrame({"clip_id": [f"{number:016x}" for number in range(n)], "split": "test"})
    clips = clips.assign(group=groups or [f"g{number}" for number in range(n)], title=[f"piece {k}" for k in range(n)])
    lengths = [len(part) for part in parts]
    return Windows(
        clips=clips,
        grids=np.concatenate(parts),
        piece=np.repeat(np.arange(n), lengths),
        place=np.concatenate([np.arange(length) for length in lengths]),
        left_out=Counter(),
    )


def write(seed=1, grids=None, groups=None):
    """A corpus `made` with its grid."""
    rng = np.random.default_rng(seed)
    grids = grids or [piece(rng) for _ in SIDES]
    ids = [f"{number:016x}" for number in range(len(SIDES))]
    table = pd.DataFrame(
        {"clip_id": ids, "path": ids, "title": [f"piece {n}" for n in range(len(ids))], "split": SIDES}
    )
    table = table.assign(
        group=groups or ids, tags=[[]] * len(ids), duplicate_of=None, sha256=ids, source="", licence=""
    )
    table = table.assign(remarks="", n_bytes=9, duration_s=4.0, duration=8.0, n_notes=9, n_tracks=4, division=4)
    types = {"n_notes": "int32", "n_tracks": "int32", "division": "int32"}
    write_table(table.astype(types), paths.manifest("made"), PIECES)
    folder, rows = paths.features("made", "satb_grid"), []
    folder.mkdir(parents=True, exist_ok=True)
    with shards.writer(shards.shard_path(folder, 0), "uint8", (9,)) as write_clip:
        for clip_id, grid in zip(ids, grids, strict=True):
            offset, length = write_clip([grid])
            rows.append({"clip_id": clip_id, "shard": 0, "offset": offset, "length": length})
    write_table(pd.DataFrame(rows), folder / "index.parquet", shards.INDEX)


def run(model, **options):
    """A run of the family on that corpus, with one training."""
    defaults = {key: default for key, (default, _) in family("continuation").OPTIONS.items()}
    folder = Path("models/runs") / model / "2026"
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        name=model,
        task="continuation",
        dataset="made",
        model=model,
        input=paths.features("made", "satb_grid"),
        trainings=((2026, folder),),
        options=defaults | {"bars": 1} | options,
        shared={"seed": 2026, "n_bootstrap": 50},
    )
