"""Piano roll: the velocity of each pitch at each step of a grid, 0 where it does not sound.

`(n_steps, 128)` uint8, `steps_per_quarter` steps a quarter note; as many steps as the piece's length has, rounded up. Onset and
end of a note are rounded to the nearest step, and a note sounds in one step at least.

It loses what lies between the steps, and where notes meet: notes of one pitch that touch are one, of those that sound together
the loudest is kept, tracks and programs are not distinguished. Percussion (channel 9) has no pitch and is left out; `drums: true`
keeps it, at the numbers of the drums.
"""

import numpy as np

from pipelines.notes.tables import PERCUSSION

KIND = "frames"
DTYPE = "uint8"
PITCHES = 128


def compute(notes: np.ndarray, length: float, *, steps_per_quarter: int = 4, drums: bool = False) -> np.ndarray:
    if not drums:
        notes = notes[notes["channel"] != PERCUSSION]
    first = _steps(notes["onset"] * steps_per_quarter)
    last = np.maximum(_steps((notes["onset"] + notes["duration"]) * steps_per_quarter), first + 1)
    n_steps = max(int(np.ceil(length * steps_per_quarter - 1e-6)), int(last.max(initial=0)))
    roll = np.zeros((n_steps, PITCHES), np.uint8)
    for start, end, pitch, velocity in zip(first, last, notes["pitch"], notes["velocity"], strict=True):
        np.maximum(roll[start:end, pitch], velocity, out=roll[start:end, pitch], casting="unsafe")
    return roll


def _steps(times: np.ndarray) -> np.ndarray:
    """The nearest whole step; of a time in the middle of two, the later."""
    return np.floor(times + 0.5).astype(np.int64)
