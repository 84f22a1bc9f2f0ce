"""SATB grid: the pitch of each of four voices on a grid of 16th notes, and where its notes begin.

`(n_steps, 9)` uint8, `steps_per_quarter` steps a quarter note; as many steps as the piece's length has, rounded up.

| column | content |
| --- | --- |
| 0 to 3 | MIDI number of what a voice sounds at the beginning of the step, the highest voice first; 0: it is silent |
| 4 to 7 | 1 where that note begins in this step, 0 where it is held from the step before, or the voice is silent |
| 8 | how many notes that sound at the beginning of the step have no place in the four voices, at most 255 |

A voice is a track with notes, in the order of the tracks. Pitch, onset, duration and voice are kept of every note whose onset and
end lie on the grid, in a piece of up to four monophonic tracks; `notes` gives them back. What lies between the steps is lost: a
note that sounds at the beginning of no step is gone, of others the ends move to the next step. Of two notes in one voice the
later is kept, of those that begin together the higher. Tracks from the fifth on, percussion (channel 9), pitch 0, velocity,
program and tempo are lost.
"""

import numpy as np

from pipelines.notes.tables import NOTES, array

KIND = "frames"
DTYPE = "uint8"
VOICES = 4
PERCUSSION = 9
SLACK = 1e-6  # of a step: an onset of 1/3 + 2/3 is on the grid


def compute(notes: np.ndarray, length: float, *, steps_per_quarter: int = 4) -> np.ndarray:
    notes = notes[(notes["channel"] != PERCUSSION) & (notes["pitch"] > 0)]
    first = _step(notes["onset"] * steps_per_quarter)
    last = _step((notes["onset"] + notes["duration"]) * steps_per_quarter)
    n_steps = max(int(_step(length * steps_per_quarter)), int(last.max(initial=0)))
    grid = np.zeros((n_steps, 2 * VOICES + 1), np.uint8)
    sounding = np.zeros(n_steps, np.int64)
    _, voice = np.unique(notes["track"], return_inverse=True)
    for n in np.lexsort([notes["pitch"], notes["onset"]]):
        start, end = first[n], last[n]
        sounding[start:end] += 1
        if voice[n] < VOICES and end > start:
            grid[start:end, voice[n]] = notes["pitch"][n]
            grid[start:end, VOICES + voice[n]] = 0
            grid[start, VOICES + voice[n]] = 1
    kept = np.count_nonzero(grid[:, :VOICES], axis=1)
    grid[:, 2 * VOICES] = np.clip(sounding - kept, 0, 255)
    return grid


def notes(grid: np.ndarray, *, steps_per_quarter: int = 4) -> np.ndarray:
    """The notes of a grid `(n_steps, 9)`, or `(n_steps, 4)` of pitches alone: then a pitch that stays is one note.

    Returns `notes.tables.NOTES` as a structured array, sorted by onset: velocity 64, program 0, 120 quarters a minute.
    """
    pitch = grid[:, :VOICES].astype(np.int64)
    begins = np.diff(pitch, axis=0, prepend=0) != 0
    if grid.shape[1] > VOICES:
        begins |= grid[:, VOICES : 2 * VOICES] > 0
    rows = []
    for voice in range(VOICES):
        starts = np.flatnonzero(begins[:, voice])
        ends = np.append(starts[1:], len(grid))[: len(starts)]
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if pitch[start, voice]:
                times = {"onset": start / steps_per_quarter, "duration": (end - start) / steps_per_quarter}
                times |= {f"{name}_s": 0.5 * value for name, value in times.items()}
                rows.append({"track": voice, "channel": voice, "pitch": pitch[start, voice], "velocity": 64, **times})
    return array(NOTES, sorted(rows, key=lambda row: (row["onset"], row["track"])))


def _step(time: np.ndarray | float) -> np.ndarray:
    """The first step that does not begin before a time."""
    return np.ceil(np.asarray(time) - SLACK).astype(np.int64)
