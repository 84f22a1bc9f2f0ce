"""Representations of sound, one file each; the file's name is the entry in params.yaml's `features`.

A module has a docstring (definition, units, shape, source, and the reference it equals), `KIND`, and
`compute(y, sample_rate, **parameters)`:

KIND = "frames": returns `(n_frames, bands)` float32, time first; stored as `DTYPE` shards.
KIND = "events": returns `(n, columns)`, a row an event (a beat's time), perhaps none; stored as `DTYPE`.
KIND = "pooled": returns `{statistic: value}`, one row a clip; stored as a Parquet column a statistic.
KIND = "samples": returns `y`; stored as links to the PCM shards (`waveform` alone).

How many bands, columns and statistics there are follows from the parameters, never from the clip.

`y` is mono `(samples,)`: float32 in [-1, 1], or int16 (also memory-mapped), which is converted a block at a time. Any
length is taken: silence, one sample or none give finite values of the right shape. A `ValueError` says what to change
where parameters and sample rate cannot go together. Clips are computed one at a time (batching is slower on a CPU), a
worker a core; `kernels/batched.py` is the front end for a GPU.

What several features need stands in `kernels/`: a feature module imports those, never another feature module.
"""

from types import ModuleType

import numpy as np
import pyarrow as pa

from pipelines.core import plugins
from pipelines.core.tables import column

WAVEFORM = "waveform"  # the one representation that is not computed
POOLED = pa.schema([column("clip_id", pa.string(), "the clip; the other columns are its statistics", unique=True)])


def load(name: str) -> ModuleType:
    """The module of feature `name`. Raises `ValueError` as `plugins.load` does."""
    return plugins.load("feature", "pipelines/features", name, "compute")


def compute_all(y: np.ndarray, sample_rate: int, entries: dict[str, dict | None]) -> dict[str, np.ndarray | dict]:
    """`{name: result}` of all `entries` (name -> parameters) in one pass: spectra, mel spectra, onset strength and CQT that
    several share are computed once, and kept while they take less than 64 MB."""
    from pipelines.features.kernels import sharing  # stages that only read features need no kernel

    with sharing.one_pass():
        results = {}
        for name, parameters in entries.items():
            found = load(name).compute(y, sample_rate, **(parameters or {}))
            # what is shared is read-only; the caller gets its own
            results[name] = found if isinstance(found, dict) or found.flags.writeable else found.copy()
        return results
