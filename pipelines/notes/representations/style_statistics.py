"""Pitch, interval, rhythm and texture statistics that neither key nor notated speed changes: what tells one style from another.

Percussion (channel 9) is left out. The final is the lowest pitch class that sounds last. Of no notes, all values are 0.

| columns | what |
| --- | --- |
| `class_00` to `class_11` | shares of the pitch classes, in semitones above the final, weighted by duration |
| `melody_-12` to `melody_12` | shares of steps in semitones to the next note of a track (the highest at an onset) |
| `bass_00` to `bass_11` | shares of the intervals above the lowest sounding note, modulo 12, weighted by duration |
| `rhythm_-3` to `rhythm_3` | shares of the notes' durations, as the rounded log2 of their ratio to the most frequent one |
| `voices_1` to `voices_5` | shares of the sounding time with so many notes; 5 is five and more |
| `together` | share of onsets at which notes of two tracks or more begin |
| `rests` | share of the time from first to last note in which nothing sounds |
| `uneven` | share of durations that are no whole multiple or half of the most frequent one (triplets, dots) |
| `repeated`, `range` | share of steps of 0; mean range of a track (semitones) |
| `spread` | mean distance of the lowest and the highest sounding note (semitones) |

Steps of more than an octave are in the outer two columns of `melody`. It loses all order but the melodic steps. Transposing a
piece, or writing it in halves instead of quarters, changes nothing (to rounding errors of the division).
"""

import numpy as np

from pipelines.notes.tables import PERCUSSION

KIND = "pooled"
LARGEST = 12  # semitones of a step that has a column of its own
OCTAVES = 3  # of durations, on both sides of the most frequent
VOICES = 5


def compute(notes: np.ndarray, length: float) -> dict[str, float]:
    notes = notes[notes["channel"] != PERCUSSION]
    notes = notes[notes["duration"] > 0]
    if not len(notes):
        return dict.fromkeys(_names(), 0.0)
    times, counts = sounding(notes)
    spans = np.diff(times)
    lowest, highest = _ends(counts)
    last = counts[np.flatnonzero(counts.any(axis=1))[-1]]
    final = int(np.flatnonzero(last)[0])
    classes = np.bincount((notes["pitch"] - final) % 12, weights=notes["duration"], minlength=12)
    above = np.zeros(12)
    segment, pitch = np.nonzero(counts)
    upper = pitch != lowest[segment]
    np.add.at(above, (pitch - lowest[segment])[upper] % 12, spans[segment][upper])
    steps, ranges = _melodies(notes)
    melody = np.bincount(np.clip(steps, -LARGEST, LARGEST) + LARGEST, minlength=2 * LARGEST + 1)
    ratios = notes["duration"] / _most_frequent(notes["duration"])
    octaves = np.clip(np.round(np.log2(ratios)), -OCTAVES, OCTAVES).astype(int)
    rhythm = np.bincount(octaves + OCTAVES, minlength=2 * OCTAVES + 1)
    n_sounding = counts.sum(axis=1)
    voices = np.bincount(np.minimum(n_sounding, VOICES), weights=spans, minlength=VOICES + 1)
    heard = n_sounding > 0
    uneven = np.abs(2 * ratios - np.round(2 * ratios)) > 1e-3
    values = [
        *_shares(classes), *_shares(melody), *_shares(above), *_shares(rhythm), *_shares(voices[1:]), _together(notes),
        voices[0] / spans.sum(), uneven.mean(), (steps == 0).mean() if len(steps) else 0.0, np.mean(ranges),
        np.average((highest - lowest)[heard], weights=spans[heard]),
    ]  # fmt: skip
    return dict(zip(_names(), map(float, values), strict=True))


def sounding(notes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(times `(n + 1,)`, counts `(n, 128)`): how many notes of each pitch sound between two times at which any begins or ends."""
    starts, ends = notes["onset"], notes["onset"] + notes["duration"]
    times = np.unique(np.round(np.concatenate([starts, ends]), 6))
    changes = np.zeros((len(times), 128), np.int32)
    np.add.at(changes, (np.searchsorted(times, np.round(starts, 6)), notes["pitch"]), 1)
    np.add.at(changes, (np.searchsorted(times, np.round(ends, 6)), notes["pitch"]), -1)
    return times, np.maximum(changes.cumsum(axis=0)[:-1], 0)


def _ends(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest pitch of each row of counts; 0 and 127 where nothing sounds."""
    there = counts > 0
    return there.argmax(axis=1), 127 - there[:, ::-1].argmax(axis=1)


def _melodies(notes: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """(steps of all tracks in semitones, range of each track)."""
    steps, ranges = [np.zeros(0, int)], []
    for track in np.unique(notes["track"]):
        own = notes[notes["track"] == track]
        own = own[np.lexsort([-own["pitch"], own["onset"]])]
        line = own["pitch"][np.unique(own["onset"], return_index=True)[1]].astype(int)
        steps.append(np.diff(line))
        ranges.append(int(line.max() - line.min()))
    return np.concatenate(steps), ranges


def _together(notes: np.ndarray) -> float:
    onsets, at = np.unique(np.round(notes["onset"], 6), return_inverse=True)
    pairs = np.unique(np.stack([at, notes["track"]]), axis=1)
    return float((np.bincount(pairs[0], minlength=len(onsets)) > 1).mean())


def _most_frequent(durations: np.ndarray) -> float:
    """Of equal ones the shortest."""
    found, counts = np.unique(np.round(durations, 6), return_counts=True)
    return max(float(found[counts.argmax()]), 1e-6)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / max(counts.sum(), 1e-12)


def _names() -> list[str]:
    return [
        *(f"class_{n:02d}" for n in range(12)),
        *(f"melody_{n}" for n in range(-LARGEST, LARGEST + 1)),
        *(f"bass_{n:02d}" for n in range(12)),
        *(f"rhythm_{n}" for n in range(-OCTAVES, OCTAVES + 1)),
        *(f"voices_{n}" for n in range(1, VOICES + 1)),
        *("together", "rests", "uneven", "repeated", "range", "spread"),
    ]
