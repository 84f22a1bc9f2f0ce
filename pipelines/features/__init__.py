"""Representations of sound, one file each; the file's name is the entry in params.yaml's `features`.

A module has a docstring (definition, units, source), `KIND`, and `compute(y, sample_rate, **parameters)`:

KIND = "frames": returns `(n_frames, n_bands)` float32, time first; stored as `DTYPE` shards.
KIND = "pooled": returns `{statistic: value}`, one row a clip; stored as a Parquet column a statistic.

`y` is mono float32 in [-1, 1]. Clips are computed one at a time (batching is slower on a CPU), a worker a core.
"""

import importlib
from types import ModuleType

import pyarrow as pa

from pipelines.store.tables import column

POOLED = pa.schema([column("clip_id", pa.string(), "the clip; the other columns are its statistics", unique=True)])


def load(name: str) -> ModuleType:
    """The module of feature `name`. Raises `ValueError` naming the file to write where there is none."""
    try:
        return importlib.import_module(f"pipelines.features.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"pipelines.features.{name}":
            raise
        raise ValueError(f"no feature {name!r}: write pipelines/features/{name}.py (see its neighbours)") from error
