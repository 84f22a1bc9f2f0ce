"""Representations of notes, one file each; the file's name is the entry in params.yaml's `symbols`.

A module has a docstring (definition, units, shape, and what it loses), `KIND`, and `compute(notes, length, **parameters)`:

KIND = "frames": returns `(n_steps, values)`, time first; stored as `DTYPE` shards.
KIND = "pooled": returns `{statistic: value}`, one row a piece; stored as a Parquet column a statistic.

`notes` are those of one piece (`notes.tables.NOTES` as a structured array), sorted by onset; there may be none. `length` is the
piece's, in quarters. How many values or statistics there are follows from the parameters, never from the piece.
"""

from types import ModuleType
from typing import Any

import numpy as np

from pipelines.core import plugins

FOLDER = "pipelines/notes/representations"


def load(name: str) -> ModuleType:
    """The module of representation `name`. Raises `ValueError` as `plugins.load` does."""
    return plugins.load("representation of notes", FOLDER, name, "compute")


def compute(module: ModuleType, notes: np.ndarray, length: float, parameters: dict | None) -> Any:
    """What `module` makes of a piece. The sequences of a piece that has several follow one another, each to its last note's end,
    because each has its own time."""
    parameters = parameters or {}
    sequences = np.unique(notes["sequence"])
    if module.KIND == "pooled" or len(sequences) < 2:
        return module.compute(notes, length, **parameters)
    parts = [notes[notes["sequence"] == sequence] for sequence in sequences]
    return np.concatenate(
        [module.compute(part, (part["onset"] + part["duration"]).max(), **parameters) for part in parts]
    )
