"""Representations of notes, one file each; the file's name is the entry in params.yaml's `symbols`.

A module has a docstring (definition, units, shape, and what it loses), `KIND`, and `compute(notes, length, **parameters)`:

KIND = "frames": returns `(n_steps, values)`, time first; stored as `DTYPE` shards.
KIND = "events": returns `(n_events, values)`, in the order of time; stored as frames are. Steps have no fixed length.
KIND = "pooled": returns `{statistic: value}`, one row a piece; stored as a Parquet column a statistic.

`notes` are those of one piece (`notes.tables.NOTES` as a structured array), sorted by onset; there may be none. `length` is
the piece's, in quarters. A module may have `notes(values, **parameters) -> notes`, which gives back what `compute` keeps: the
record of a corpus then says how many notes come back. How many values or statistics there are follows from the parameters,
never from the piece.

A module may have `learn(pieces, **parameters) -> str`: what it learns from the notes of training pieces, as JSON; "" where these
parameters ask for nothing. The stage writes it beside the values (`LEARNED`), and `compute` and `notes` get it as `learned`.
"""

from collections import Counter
from types import ModuleType
from typing import Any

import numpy as np

from pipelines.core import plugins
from pipelines.notes.tables import PERCUSSION

FOLDER = "pipelines/notes/representations"
LEARNED = "learned.json"


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


def losses(notes: np.ndarray, back: np.ndarray) -> dict[str, int]:
    """How many of the `notes` are not among those that come `back`: lost, by pitch alone (a note that is dropped, or merged with
    another), and moved, of the others those that begin or end at another time. Drums are told from pitches."""
    kept = (_counted(notes) & _counted(back)).total()
    exact = (_counted(notes, "onset", "duration") & _counted(back, "onset", "duration")).total()
    return {"notes": len(notes), "notes lost": len(notes) - kept, "notes moved": kept - exact}


def _counted(notes: np.ndarray, *times: str) -> Counter:
    """How often each (drum or not, pitch, times in thousandths of a quarter) occurs."""
    columns = [notes["channel"] == PERCUSSION, notes["pitch"], *(np.rint(1000 * notes[name]) for name in times)]
    return Counter(zip(*(np.asarray(column, np.int64).tolist() for column in columns), strict=True))
