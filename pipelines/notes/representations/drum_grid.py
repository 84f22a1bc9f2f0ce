"""Drum grid: the velocity with which each of nine drums is struck at each step.

`(n_steps, 9)` uint8, `steps_per_quarter` steps a quarter note; 0 where a drum is not struck. The drums are, in this order: bass,
snare, closed hi-hat, open hi-hat, low tom, mid tom, high tom, crash, ride. Onsets are rounded to the nearest step.

Which pitches are which drum is the table of the Groove MIDI Dataset (magenta.tensorflow.org/datasets/groove; Gillick et al. 2019,
ICML), for the Roland TD-11; General MIDI pitches that it has no line for are put with the drum they are nearest to (35, 39, 41).
Notes on channel 9 with other pitches (cowbells, congas, ...) are lost, as are the kinds of strokes within a drum, what
lies between the steps ("microtiming"), and of strokes in one step all but the loudest.
"""

import numpy as np

from pipelines.notes.tables import PERCUSSION

KIND = "frames"
DTYPE = "uint8"
DRUMS = {
    "bass": (36, 35),
    "snare": (38, 37, 40, 39),
    "closed_hihat": (42, 22, 44),
    "open_hihat": (46, 26),
    "low_tom": (43, 58, 41),
    "mid_tom": (47, 45),
    "high_tom": (50, 48),
    "crash": (49, 52, 55, 57),
    "ride": (51, 53, 59),
}
"""Drum -> its MIDI numbers."""
COLUMN = {pitch: column for column, pitches in enumerate(DRUMS.values()) for pitch in pitches}


def compute(notes: np.ndarray, length: float, *, steps_per_quarter: int = 4) -> np.ndarray:
    notes = notes[(notes["channel"] == PERCUSSION) & np.isin(notes["pitch"], list(COLUMN))]
    step = np.floor(notes["onset"] * steps_per_quarter + 0.5).astype(np.int64)
    n_steps = max(int(np.ceil(length * steps_per_quarter - 1e-6)), int(step.max(initial=-1)) + 1)
    grid = np.zeros((n_steps, len(DRUMS)), np.uint8)
    columns = [COLUMN[pitch] for pitch in notes["pitch"].tolist()]
    np.maximum.at(grid, (step, columns), notes["velocity"].astype(np.uint8))
    return grid
