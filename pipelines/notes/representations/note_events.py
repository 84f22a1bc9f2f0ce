"""Notes one after another, a row each: what a network of sequences reads. Percussion (channel 9) has no pitch and is left out.

`(n_notes, 3)` float32: pitch (MIDI number), the time since the onset before (quarters; of the first note, since the beginning),
and the duration (quarters). Notes are sorted by onset, of one onset by pitch.

It loses velocities, tracks and programs, and metre and tempo.
"""

import numpy as np

from pipelines.notes.tables import PERCUSSION

KIND = "events"
DTYPE = "float32"


def compute(notes: np.ndarray, length: float) -> np.ndarray:
    notes = notes[notes["channel"] != PERCUSSION]
    notes = notes[np.lexsort((notes["pitch"], notes["onset"]))]
    since = np.diff(notes["onset"], prepend=0.0)
    return np.stack([notes["pitch"], since, notes["duration"]], axis=1).astype(np.float32)
