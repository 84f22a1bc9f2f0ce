"""Statistics of a piece's notes without percussion (channel 9): the input of a classifier of pieces.

Shares of the twelve pitch classes, weighted by duration in quarters (12 values from C); mean, standard deviation, lowest and
highest pitch (MIDI number); mean duration and its deviation (quarters); notes a quarter; mean velocity; mean size of the step
from a note to the next onset's highest note (semitones), and the share of steps of at most two semitones. Without notes, all
are 0.

Only the last two depend on the order of the notes.
"""

import numpy as np

from pipelines.notes.tables import PERCUSSION

KIND = "pooled"
CLASSES = ("c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b")
OTHERS = (
    "pitch_mean", "pitch_sd", "pitch_min", "pitch_max", "duration_mean", "duration_sd", "notes_per_quarter", "velocity_mean",
    "step_mean", "step_small",
)  # fmt: skip


def compute(notes: np.ndarray, length: float) -> dict[str, float]:
    notes = notes[notes["channel"] != PERCUSSION]
    names = [*(f"class_{name}" for name in CLASSES), *OTHERS]
    if not len(notes):
        return dict.fromkeys(names, 0.0)
    pitch, duration = notes["pitch"], notes["duration"]
    weights = duration if duration.sum() > 0 else np.ones(len(notes))
    classes = np.bincount(pitch % 12, weights=weights, minlength=12) / weights.sum()
    onsets, at = np.unique(notes["onset"], return_inverse=True)
    top = np.zeros(len(onsets), np.int64)
    np.maximum.at(top, at, pitch)
    steps = np.abs(np.diff(top))
    small, size = (float((steps <= 2).mean()), float(steps.mean())) if len(steps) else (0.0, 0.0)
    values = [
        *classes, pitch.mean(), pitch.std(), pitch.min(), pitch.max(), duration.mean(), duration.std(),
        len(notes) / max(length, 1e-3) if length else 0.0, notes["velocity"].mean(), size, small,
    ]  # fmt: skip
    return dict(zip(names, map(float, values), strict=True))
