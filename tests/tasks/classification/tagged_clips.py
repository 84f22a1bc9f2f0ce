"""A dataset of vectors with several tags a clip, written as stages leave it: what tests of multi-label runs fit and score on."""

from dataclasses import replace

import labelled_clips
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.core import paths
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.tasks import Run

TAGS = ("fast", "loud", "soft", "vocal")


def write(seed: int = 1, n: int = 160, name: str = "made", change=lambda table: table) -> np.ndarray:
    """`n` clips of four a group, each group on one side. Each of the four tags raises one of six features; returns the truth
    `(n, 4)`, in which every clip has a tag. change: of the manifest."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 4)) < (0.25, 0.4, 0.5, 0.3)
    truth[~truth.any(axis=1), 2] = True
    values = rng.normal(0, 1, (n, 6))
    values[:, :4] += 2.5 * truth
    ids = [f"{number:016x}" for number in range(n)]
    group = np.arange(n) // 4
    table = pd.DataFrame({column: "x" for column in MANIFEST.names}, index=range(n)).assign(
        clip_id=ids,
        path=[f"{one}.flac" for one in ids],
        sha256=ids,
        split=[labelled_clips.SIDES[one % 5] for one in group],
        group=[f"g{one}" for one in group],
        tags=[[tag for tag, there in zip(TAGS, row, strict=True) if there] for row in truth],
        duplicate_of=None,
        duration_s=2.0,
        n_bytes=9,
    )
    table = table.assign(sample_rate=np.int32(16_000), channels=np.int32(1), target_family="one")
    write_table(change(table), paths.manifest(name), MANIFEST)
    folder = paths.features(name, "pooled")
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"clip_id": ids} | {f"feature_{number}": values[:, number] for number in range(6)}
    pq.write_table(pa.table(columns), folder / "pooled.parquet")
    return truth


def run(model: str, **options) -> Run:
    """A multi-label run on that dataset."""
    return labelled_clips.run(model, **{"target": "tags"} | options)


def tested_on(fitted: Run, dataset: str, **options) -> Run:
    """A cross test of a fitted run on another dataset."""
    own = fitted.options | options
    return replace(
        fitted,
        name="cross",
        dataset=dataset,
        input=paths.features(dataset, "pooled"),
        options=own,
        fitted_by=fitted.name,
    )
