"""Melody grid: the pitch of one line on a grid of 16th notes, and where its notes begin.

`(n_steps, 3)` uint8, `steps_per_quarter` steps a quarter note: a grid of one voice (`notes/grids.py`). `track` names the track
that is read, from 0; -1 reads all.

Pitch, onset and duration are kept of a line whose notes begin and end on the grid and do not overlap; `notes` gives them back.
What lies between the steps is lost: a note that sounds at the beginning of no step is gone, of others the ends move to the next
step, so that the three notes of a triplet of eighths take 2, 1 and 1 steps of four a quarter. Of notes that overlap the later is
kept, of those that begin together the higher; the last column counts the others. Percussion (channel 9), pitch 0, velocity,
track, program and tempo are lost.

`monophonic` has the same line as events of any length; this grid is what models of the family `sequences` read.
"""

import numpy as np

from pipelines.notes import grids

KIND = "frames"
DTYPE = "uint8"


def compute(notes: np.ndarray, length: float, *, steps_per_quarter: int = 4, track: int = -1) -> np.ndarray:
    notes = grids.pitched(notes)
    if track >= 0:
        notes = notes[notes["track"] == track]
    return grids.compute(notes, length, np.zeros(len(notes), int), 1, steps_per_quarter)


def notes(grid: np.ndarray, *, steps_per_quarter: int = 4, track: int = -1) -> np.ndarray:
    """The notes of a grid `(n_steps, 3)`, as `grids.notes` gives them."""
    found = grids.notes(grid[:, :1], grid[:, 1:2], steps_per_quarter=steps_per_quarter)
    found["track"] = max(track, 0)
    return found
