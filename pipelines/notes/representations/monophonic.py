"""Monophonic event sequence: the highest line of a piece as notes and rests, one after another.

`(n_events, 2)` int32, in the order of time: the MIDI number of a note, 0 for a rest; and how many steps it lasts, of which
`steps_per_quarter` are a quarter note. With 12, eighths, sixteenths and triplets are whole. `track` names the track that is
read, from 0; -1 reads all. The events fill the piece, rests before its first and after its last note included.

Pitch, onset and duration are kept of a line whose notes begin and end on the grid and do not overlap; `notes` gives them back.
Onset and end are rounded to the nearest step. Of notes that begin in one step the highest is kept, and a note ends where the
next one begins; so of polyphonic music most notes are lost. Percussion (channel 9), pitch 0, velocity, track, program and
tempo are lost.
"""

import numpy as np

from pipelines.notes.tables import NOTES, PERCUSSION, array

KIND = "events"
DTYPE = "int32"
VELOCITY, QUARTER_S = 64, 0.5


def compute(notes: np.ndarray, length: float, *, steps_per_quarter: int = 12, track: int = -1) -> np.ndarray:
    notes = notes[(notes["channel"] != PERCUSSION) & (notes["pitch"] > 0)]
    if track >= 0:
        notes = notes[notes["track"] == track]
    first = _steps(notes["onset"] * steps_per_quarter)
    last = np.maximum(_steps((notes["onset"] + notes["duration"]) * steps_per_quarter), first + 1)
    order = np.lexsort([-notes["pitch"], first])
    order = order[np.diff(first[order], prepend=-1) > 0]
    first, last, pitch = first[order], last[order], notes["pitch"][order]
    end = max(int(_steps(np.array(length * steps_per_quarter))), int(last.max(initial=0)))
    following = np.append(first[1:], end)
    last = np.minimum(last, following)
    before = np.concatenate([first[:1], first[1:] - last[:-1], [end - last[-1]]]) if len(first) else np.array([end])
    rows = np.zeros((2 * len(first) + 1, 2), np.int64)
    rows[::2, 1] = before
    rows[1::2] = np.column_stack([pitch, last - first])
    return rows[rows[:, 1] > 0].astype(np.int32)


def notes(events: np.ndarray, *, steps_per_quarter: int = 12, track: int = -1) -> np.ndarray:
    """The notes of a sequence (`notes.tables.NOTES`): velocity 64, program 0, 120 quarters a minute."""
    onset = np.cumsum(events[:, 1]) - events[:, 1]
    rows = []
    for start, (pitch, steps) in zip(onset.tolist(), events.tolist(), strict=True):
        if pitch:
            times = {"onset": start / steps_per_quarter, "duration": steps / steps_per_quarter}
            times |= {f"{name}_s": QUARTER_S * value for name, value in times.items()}
            rows.append({"track": max(track, 0), "pitch": pitch, "velocity": VELOCITY, **times})
    return array(NOTES, rows)


def _steps(times: np.ndarray) -> np.ndarray:
    """The nearest whole step; of a time in the middle of two, the later."""
    return np.floor(times + 0.5).astype(np.int64)
