"""A dataset of vectors in three classes, written as stages leave it: what the family's tests fit and score on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.core import paths
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.tasks import Run, family

SIDES = ("train", "train", "train", "validation", "test")
CLASSES = ("brass", "reed", "string")


def write(seed: int = 1, n: int = 120, spread: float = 1.0, name: str = "made") -> pd.DataFrame:
    """`n` clips of five a group, each group on one side; vectors of 12 features, of which five tell the class."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) // 5
    classes = np.array(CLASSES)[group % 3]
    values = rng.normal(0, spread, (n, 12)) * np.array([1, 10, 0.1] * 4) + 3
    values[:, :3] += 2 * (np.arange(3) == (group % 3)[:, None]) * np.array([1, 10, 0.1])
    values[:, 3] += (group % 3) * 1.0
    values[:, 11] = 5.0
    ids = [f"{number:016x}" for number in range(n)]
    sides = [SIDES[(one // 3) % 5] for one in group]
    table = pd.DataFrame({name: "x" for name in MANIFEST.names}, index=range(n)).assign(
        clip_id=ids, path=[f"{one}.flac" for one in ids], sha256=ids, split=sides, group=[f"g{one}" for one in group]
    )
    table = table.assign(tags=[[]] * n, duplicate_of=None, duration_s=2.0, sample_rate=16_000, channels=1, n_bytes=9)
    table = table.astype({"sample_rate": "int32", "channels": "int32"}).assign(target_family=classes)
    write_table(table, paths.manifest(name), MANIFEST)
    columns = {"clip_id": ids} | {f"{_name(number)}": values[:, number] for number in range(12)}
    folder = paths.features(name, "pooled")
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / "pooled.parquet")
    return table


def run(model: str, **options) -> Run:
    """A run of the family on that dataset, with one training in models/."""
    defaults = {key: default for key, (default, _) in family("classification").OPTIONS.items()}
    folder = Path("models") / model
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        name=model,
        task="classification",
        dataset="made",
        model=model,
        input=paths.features("made", "pooled"),
        trainings=((2026, folder),),
        options=defaults | {"target": "family"} | options,
        shared={"seed": 2026, "n_bootstrap": 50},
    )


def _name(number: int) -> str:
    return "rms_mean" if number == 10 else f"feature_{number}"
