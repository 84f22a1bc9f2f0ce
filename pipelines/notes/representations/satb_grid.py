"""SATB grid: the pitch of each of four voices on a grid of 16th notes, and where its notes begin.

`(n_steps, 9)` uint8, `steps_per_quarter` steps a quarter note: a grid of four voices (`notes/grids.py`).

A voice is a track with notes, in the order of the tracks. Pitch, onset, duration and voice are kept of every note whose onset and
end lie on the grid, in a piece of up to four monophonic tracks; `notes` gives them back. What lies between the steps is lost: a
note that sounds at the beginning of no step is gone, of others the ends move to the next step. Of two notes in one voice the
later is kept, of those that begin together the higher. Tracks from the fifth on, percussion (channel 9), pitch 0, velocity,
program and tempo are lost.
"""

import numpy as np

from pipelines.notes import grids

KIND = "frames"
DTYPE = "uint8"
VOICES = 4


def compute(notes: np.ndarray, length: float, *, steps_per_quarter: int = 4) -> np.ndarray:
    notes = grids.pitched(notes)
    voice = np.unique(notes["track"], return_inverse=True)[1]
    return grids.compute(notes, length, voice, VOICES, steps_per_quarter)


def notes(grid: np.ndarray, *, steps_per_quarter: int = 4) -> np.ndarray:
    """The notes of a grid `(n_steps, 9)`, as `grids.notes` gives them."""
    return grids.notes(grid[:, :VOICES], grid[:, VOICES : 2 * VOICES], steps_per_quarter=steps_per_quarter)
