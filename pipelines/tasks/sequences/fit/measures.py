"""Statistics of each piece: those of muspy (Dong et al. 2020, ISMIR), and vectors that Yang and Lerch (2020) compare.

Equal to muspy 0.5.0 at four steps a quarter, where a note is a pitch that a voice holds: a piece ends with its last note; a note
that ends on a beat counts for that beat too; beats are those that the end begins, one more than it fills where it falls on one.
"""

from collections.abc import Sequence

import numpy as np

from pipelines.tasks.sequences.fit.cells import PITCHES

BEAT = 4
"""Steps of a quarter."""
MANY = 2
"""`polyphony_rate` counts steps with more different pitches."""
LONGEST = 16
"""Steps; the histogram of lengths puts longer notes with notes of this length."""
MAJOR = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], bool)
"""Pitch classes of the scale; the natural minor scales are the same twelve sets."""


def notes(piece: np.ndarray) -> np.ndarray:
    """`(notes, 4)` integers of a piece `(steps, voices)`: voice, pitch, first step, steps. A repeated pitch is held."""
    found = []
    for voice in range(piece.shape[1]):
        starts = np.flatnonzero(np.diff(piece[:, voice].astype(int), prepend=-1))
        lengths = np.diff(np.append(starts, len(piece)))
        rows = np.column_stack([np.full(len(starts), voice), piece[starts, voice], starts, lengths])
        found.append(rows[rows[:, 1] > 0])
    return np.concatenate(found).astype(np.int64)


def of_each(pieces: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Statistic -> `(n,)`, or `(n, values)` for a histogram, of `n` pieces `(steps, voices)`. NaN where a piece without notes, or
    without two notes in any voice, has no such statistic.

    Numbers: `pitch_range` in semitones; `n_pitches_used`, `n_pitch_classes_used`; `polyphony`, different pitches at once, over
    steps that sound; `polyphony_rate`, share of steps with more than two; `pitch_entropy`, `pitch_class_entropy` over notes, in
    bits; `scale_consistency`, the share of notes in the scale that has most of them; `empty_beat_rate`, share of quarters
    without a note; `mean_interval`, semitones from a note of a voice to its next; `mean_duration` in steps. Histograms, each of
    sum 1: `pitch_class_histogram` (12), `duration_histogram` (16), `pitch_class_transitions` (144) within voices.
    """
    each = [_of(piece) for piece in pieces]
    return {name: np.stack([found[name] for found in each]) for name in each[0]}


def _of(piece: np.ndarray) -> dict[str, np.ndarray]:
    table = notes(piece)
    voice, pitch, first, length = table.T
    classes, end = pitch % 12, int((first + length).max(initial=0))
    sounding = _different(piece[:end])
    by_pitch, by_class = np.bincount(pitch, minlength=PITCHES), np.bincount(classes, minlength=12)
    follows = np.diff(voice) == 0
    steps, pairs = np.abs(np.diff(pitch))[follows], (12 * classes[:-1] + classes[1:])[follows]
    with np.errstate(invalid="ignore"):
        return {
            "pitch_range": np.float64(np.ptp(pitch) if len(pitch) else 0),
            "n_pitches_used": np.float64((by_pitch > 0).sum()),
            "n_pitch_classes_used": np.float64((by_class > 0).sum()),
            "polyphony": np.float64(sounding.sum()) / (sounding > 0).sum(),
            "polyphony_rate": np.float64((sounding > MANY).sum()) / end,
            "pitch_entropy": _entropy(by_pitch),
            "pitch_class_entropy": _entropy(by_class),
            "scale_consistency": np.float64(max(by_class[np.roll(MAJOR, root)].sum() for root in range(12)))
            / len(pitch),
            "empty_beat_rate": _empty_beats(first, length, end),
            "mean_interval": np.float64(steps.sum()) / len(steps),
            "mean_duration": np.float64(length.sum()) / len(length),
            "pitch_class_histogram": by_class / np.float64(len(pitch)),
            "duration_histogram": np.bincount(np.minimum(length, LONGEST), minlength=LONGEST + 1)[1:]
            / np.float64(len(length)),
            "pitch_class_transitions": np.bincount(pairs, minlength=144) / np.float64(len(pairs)),
        }


def _different(piece: np.ndarray) -> np.ndarray:
    """How many different pitches sound in each step."""
    ordered = np.sort(piece, axis=1).astype(int)
    return ((ordered > 0) & (np.diff(ordered, axis=1, prepend=0) > 0)).sum(axis=1)


def _empty_beats(first: np.ndarray, length: np.ndarray, end: int) -> np.float64:
    if not end:
        return np.float64(np.nan)
    change = np.zeros(end // BEAT + 2, int)
    np.add.at(change, first // BEAT, 1)
    np.add.at(change, (first + length) // BEAT + 1, -1)
    return np.mean(np.cumsum(change)[:-1] == 0)


def _entropy(counts: np.ndarray) -> np.float64:
    if not counts.any():
        return np.float64(np.nan)
    shares = counts[counts > 0] / counts.sum()
    return -np.sum(shares * np.log2(shares))
