"""Chords: which pitch classes sound, above which bass, and for how long.

`(n_events, 3)` int32, in the order of time: the sounding pitch classes as the sum of 2 to the power of each (C is 0, so C E G
is 145), 0 where nothing sounds; the lowest sounding MIDI number, -1 where nothing sounds; and how many steps it stays so, of
which `steps_per_quarter` are a quarter note. The events fill the piece.

It keeps what sounds at each step but for its octave, and the bass. It loses octaves and doublings above the bass, voices,
tracks and programs, whether a note is held or struck again, velocity and tempo, and what lies between the steps: a step has
what sounds at its beginning. Percussion (channel 9) is left out. `voiced` gives notes back that have these chords.
"""

import numpy as np

from pipelines.notes.tables import NOTES, PERCUSSION, array

KIND = "events"
DTYPE = "int32"
SILENCE = -1
SLACK = 1e-6  # of a step: an onset of 1/3 + 2/3 is on the grid
VELOCITY, QUARTER_S = 64, 0.5


def compute(notes: np.ndarray, length: float, *, steps_per_quarter: int = 4) -> np.ndarray:
    notes = notes[notes["channel"] != PERCUSSION]
    first = _step(notes["onset"] * steps_per_quarter)
    last = _step((notes["onset"] + notes["duration"]) * steps_per_quarter)
    n_steps = max(int(_step(length * steps_per_quarter)), int(last.max(initial=0)))
    classes, bass = np.zeros(n_steps, np.int64), np.full(n_steps, 128)
    for start, end, pitch in zip(first.tolist(), last.tolist(), notes["pitch"].tolist(), strict=True):
        classes[start:end] |= 1 << pitch % 12
        np.minimum(bass[start:end], pitch, out=bass[start:end])
    bass[classes == 0] = SILENCE
    rows = np.column_stack([classes, bass])
    new = np.flatnonzero(np.append(True, (np.diff(rows, axis=0) != 0).any(axis=1))[:n_steps])
    return np.column_stack([rows[new], np.diff(np.append(new, n_steps))]).astype(np.int32)


def voiced(events: np.ndarray, *, steps_per_quarter: int = 4) -> np.ndarray:
    """Notes (`notes.tables.NOTES`) that have these chords: the bass, and each other class as near above it as MIDI allows."""
    onset = np.cumsum(events[:, 2]) - events[:, 2]
    rows = []
    for start, (classes, bass, steps) in zip(onset.tolist(), events.tolist(), strict=True):
        above = [n for n in range(12) if classes >> n & 1 and n != bass % 12] if classes else []
        times = {"onset": start / steps_per_quarter, "duration": steps / steps_per_quarter}
        times |= {f"{name}_s": QUARTER_S * value for name, value in times.items()}
        for pitch in sorted([bass, *(bass + (n - bass) % 12 for n in above)]) if classes else []:
            rows.append({"pitch": pitch, "velocity": VELOCITY, **times})
    return array(NOTES, rows)


def _step(time: np.ndarray | float) -> np.ndarray:
    """The first step that does not begin before a time."""
    return np.ceil(np.asarray(time) - SLACK).astype(np.int64)
