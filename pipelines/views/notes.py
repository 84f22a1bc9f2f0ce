"""Notes as the statistics of `style_statistics`: of a MIDI file, or of the exact notes of a rendered clip.

Notes of a clip stand in seconds, and the statistics do not change with the length of a beat. Their tracks are its voices.
"""

import numpy as np

from pipelines.notes.midi import read
from pipelines.notes.representations import style_statistics
from pipelines.notes.tables import NOTES, dtype

SUFFIXES = (".mid", ".midi")
OWN = "notes.parquet"


def from_file(content):
    piece = read.read(content)
    return vector(piece.notes, piece.length)


def from_table(table):
    return {path: vector(_notes(own)) for path, own in table.groupby("path", sort=False)}


def vector(notes, length=0.0):
    """None of no notes."""
    return style_statistics.compute(notes, length) if len(notes) else None


def _notes(table):
    """Of one clip, as the structured array of a piece."""
    notes = np.zeros(len(table), dtype(NOTES))
    for name, own in {"track": "voice", "program": "program", "pitch": "pitch", "velocity": "velocity"}.items():
        notes[name] = table[own]
    for name in ("onset", "duration"):
        notes[name] = notes[f"{name}_s"] = table[f"{name}_s"]
    return np.sort(notes, order=["onset", "pitch"])
