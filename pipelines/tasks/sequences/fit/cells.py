"""Cells of music in voices: one pitch of one voice at one step of a grid, in the order in which models read them.

A piece is `(steps, voices)` uint8, the highest voice first: MIDI numbers 1 to 127, 0 for silence. Models read it row by row, so
the probability of a step is the product of those of its cells, whatever the order of reading (chain rule). Every piece of a run
has the same number of voices, that of the representation: one of `melody_grid`, four of `satb_grid`.
"""

from collections.abc import Sequence

import numpy as np

PITCHES = 128
"""Values of a cell. Fixed, so that a piece with a pitch that training has not has a finite loss too."""
BEGIN = 128
"""Stands in a context before the first cell."""


def shifted(piece: np.ndarray, semitones: int) -> np.ndarray:
    """The piece in another key; silence stays."""
    return np.where(piece > 0, piece.astype(np.int16) + semitones, 0).astype(np.uint8)


def room(pieces: Sequence[np.ndarray], most: int) -> list[tuple[int, int]]:
    """(down, up) of each piece: by how many semitones, at most `most`, it can be moved so that every voice stays in the range
    that this voice has over all pieces."""
    low, high = (np.array([edge(each) for each in pieces]) for edge in (_lowest, _highest))
    down, up = (low - low.min(axis=0)).min(axis=1), (high.max(axis=0) - high).min(axis=1)
    return [(min(most, int(a)), min(most, int(b))) for a, b in zip(down, up, strict=True)]


def transposed(pieces: Sequence[np.ndarray], most: int) -> list[np.ndarray]:
    """Every piece in every key that `room` allows."""
    keys = room(pieces, most) if most else [(0, 0)] * len(pieces)
    return [shifted(piece, by) for piece, (down, up) in zip(pieces, keys, strict=True) for by in range(-down, up + 1)]


def _lowest(piece: np.ndarray) -> np.ndarray:
    return np.where(piece > 0, piece, PITCHES - 1).min(axis=0)


def _highest(piece: np.ndarray) -> np.ndarray:
    return piece.max(axis=0).astype(np.int64)
