"""Grids of voices: the pitch of each voice at each step, and where its notes begin.

A grid of v voices is `(n_steps, 2 v + 1)` uint8:

| column | content |
| --- | --- |
| 0 to v - 1 | MIDI number of what a voice sounds at the beginning of the step, the highest voice first; 0: it is silent |
| v to 2 v - 1 | 1 where that note begins in this step, 0 where it is held from the step before, or the voice is silent |
| 2 v | how many notes that sound at the beginning of the step have no place in the voices, at most 255 |
"""

import numpy as np

from pipelines.notes.tables import NOTES, PERCUSSION, array

SLACK = 1e-6  # of a step: an onset of 1/3 + 2/3 is on the grid


def compute(notes: np.ndarray, length: float, voice: np.ndarray, n_voices: int, steps_per_quarter: int) -> np.ndarray:
    """The grid of pitched `notes`, whose voices are the numbers `voice` `(n,)`; those from `n_voices` on have no place.

    As many steps as the piece's `length` (quarters) has, rounded up. A note that sounds at the beginning of no step is gone, of
    others the ends move to the next step. Of two notes in one voice the later is kept, of those that begin together the higher.
    """
    first = _step(notes["onset"] * steps_per_quarter)
    last = _step((notes["onset"] + notes["duration"]) * steps_per_quarter)
    n_steps = max(int(_step(length * steps_per_quarter)), int(last.max(initial=0)))
    grid = np.zeros((n_steps, 2 * n_voices + 1), np.uint8)
    sounding = np.zeros(n_steps, np.int64)
    for n in np.lexsort([notes["pitch"], notes["onset"]]):
        start, end = first[n], last[n]
        sounding[start:end] += 1
        if voice[n] < n_voices and end > start:
            grid[start:end, voice[n]] = notes["pitch"][n]
            grid[start:end, n_voices + voice[n]] = 0
            grid[start, n_voices + voice[n]] = 1
    kept = np.count_nonzero(grid[:, :n_voices], axis=1)
    grid[:, 2 * n_voices] = np.clip(sounding - kept, 0, 255)
    return grid


def pitched(notes: np.ndarray) -> np.ndarray:
    """The notes that a grid can hold: percussion (channel 9) has no pitch, and pitch 0 stands for silence."""
    return notes[(notes["channel"] != PERCUSSION) & (notes["pitch"] > 0)]


def notes(pitch: np.ndarray, begins: np.ndarray | None = None, *, steps_per_quarter: int = 4) -> np.ndarray:
    """The notes of voices `(n_steps, v)`, a track each; `begins`, of the same shape: where a note begins anew. Without it a pitch
    that stays is one note.

    Returns `notes.tables.NOTES` as a structured array, sorted by onset: velocity 64, program 0, 120 quarters a minute. The
    channels are the voices' numbers, without that of percussion.
    """
    pitch = pitch.astype(np.int64)
    starting = np.diff(pitch, axis=0, prepend=0) != 0
    if begins is not None:
        starting |= begins > 0
    rows = []
    for voice in range(pitch.shape[1]):
        starts = np.flatnonzero(starting[:, voice])
        ends = np.append(starts[1:], len(pitch))[: len(starts)]
        channel = voice % 15 + (voice % 15 >= PERCUSSION)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if pitch[start, voice]:
                times = {"onset": start / steps_per_quarter, "duration": (end - start) / steps_per_quarter}
                times |= {f"{name}_s": 0.5 * value for name, value in times.items()}
                rows.append({"track": voice, "channel": channel, "pitch": pitch[start, voice], "velocity": 64, **times})
    return array(NOTES, sorted(rows, key=lambda row: (row["onset"], row["track"])))


def _step(time: np.ndarray | float) -> np.ndarray:
    """The first step that does not begin before a time."""
    return np.ceil(np.asarray(time) - SLACK).astype(np.int64)
