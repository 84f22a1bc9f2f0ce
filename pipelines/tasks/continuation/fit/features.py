"""What a pair of windows is described by: each window, how the two differ, and the seam where A ends and B begins.

Only distances enter, no pitch as such: a pair that is transposed as a whole has the same features.

| features | what |
| --- | --- |
| `difference_*`, `product_*` | of the windows' own features (`of_window`), the absolute difference, and the product |
| `register_*` | mean pitch of each voice of B minus A's, in semitones; 0 where it is silent in one of them |
| `key_0` to `key_11` | correlation of A's pitch classes with B's, B being transposed up by so many semitones |
| `key_gain` | the highest of them minus `key_0` |
| `leap_*`, `size_*` | of each voice, semitones from its last pitch in A to its first in B, at most an octave; their size |
| `held_*` | 1 where a note of A is held into B |
| `bass_0` to `bass_11` | 1 at the interval from A's last bass note to B's first, modulo 12 |
| `common` | pitch classes that A's last and B's first step have both |
| `end_*`, `begin_*` | of each voice, steps since the last note of A began, and to the second note of B |

Voices are numbered from the highest, 0 to 3. A voice that is silent throughout A or B leaps by 0.
"""

import numpy as np

from pipelines.tasks.continuation.fit.pairs import pitch_classes
from pipelines.tasks.continuation.fit.windows import VOICES, seam

OCTAVE = 12
MELODIC = (0, 1, 2, 3, 5, 8)
"""Melodic steps in semitones from which a bin begins: repeated, minor and major second, thirds, fourths to fifths, wider."""
BATCH = 8192  # pairs at once


def of_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`(n, d)` float64 of windows A and B `(n, steps, 8)`; `names()` says what each dimension is."""
    parts = [_of_batch(a[first : first + BATCH], b[first : first + BATCH]) for first in range(0, len(a), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, len(names())))


def names() -> list[str]:
    """The names of the dimensions of `of_pairs`."""
    own, voices = _own_names(), range(VOICES)
    return [
        *(f"{how}_{name}" for how in ("difference", "product") for name in own),
        *(f"register_{voice}" for voice in voices),
        *(f"key_{shift}" for shift in range(OCTAVE)),
        "key_gain",
        *(f"{name}_{voice}" for name in ("leap", "size", "held") for voice in voices),
        *(f"bass_{interval}" for interval in range(OCTAVE)),
        "common",
        *(f"{name}_{voice}" for name in ("end", "begin") for voice in voices),
    ]


def of_window(grids: np.ndarray) -> np.ndarray:
    """`(n, d)` of windows `(n, steps, 8)`, which transposing leaves as they are: notes a step of each voice; share of the notes
    that begin on each 16th of a quarter; range of each voice in octaves; shares of melodic steps by size (`MELODIC`); shares of
    the intervals above the bass, modulo 12; share of silent cells."""
    pitch, begins = grids[..., :VOICES].astype(int), grids[..., VOICES:].astype(float)
    sounds = pitch > 0
    phase = begins.sum(axis=2).reshape(len(grids), -1, 4).sum(axis=1)
    high = pitch.max(axis=1)
    low = np.where(sounds, pitch, 128).min(axis=1)
    moves = np.abs(np.diff(pitch, axis=1))
    moved = (begins[:, 1:] > 0) & sounds[:, :-1]
    melodic = _counts(np.digitize(moves, MELODIC) - 1, moved, len(MELODIC))
    bass = pitch[..., -1:]
    vertical = _counts((pitch - bass)[..., :-1] % OCTAVE, sounds[..., :-1] & (bass > 0), OCTAVE)
    return np.concatenate(
        [
            begins.mean(axis=1),
            _shares(phase),
            np.where(high > 0, high - low, 0) / OCTAVE,
            _shares(melodic),
            _shares(vertical),
            1 - sounds.mean(axis=(1, 2))[:, None],
        ],
        axis=1,
    )


def _own_names() -> list[str]:
    return [
        *(f"notes_{voice}" for voice in range(VOICES)),
        *(f"phase_{step}" for step in range(4)),
        *(f"range_{voice}" for voice in range(VOICES)),
        *(f"melodic_{edge}" for edge in MELODIC),
        *(f"above_bass_{interval}" for interval in range(OCTAVE)),
        "silence",
    ]


def _of_batch(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    x, y = of_window(a), of_window(b)
    correlations = _correlations(pitch_classes(a), pitch_classes(b))
    gain = correlations.max(axis=1, keepdims=True) - correlations[:, :1]
    low, high = _mean_pitch(a), _mean_pitch(b)
    register = np.where((low > 0) & (high > 0), high - low, 0.0)
    return np.concatenate([np.abs(x - y), x * y, register, correlations, gain, _seam(a, b)], axis=1)


def _seam(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    last, first = seam(a, b)
    both = (last > 0) & (first > 0)
    leap = np.where(both, np.clip(first - last, -OCTAVE, OCTAVE), 0)
    held = (b[:, 0, :VOICES] > 0) & (b[:, 0, :VOICES] == a[:, -1, :VOICES]) & (b[:, 0, VOICES:] == 0)
    bass = np.eye(OCTAVE)[(first[:, -1] - last[:, -1]) % OCTAVE] * both[:, -1:]
    chord, next_chord = (pitch_classes(each) > 0 for each in (a[:, -1:], b[:, :1]))
    common = (chord & next_chord).sum(axis=1, keepdims=True)
    steps = a.shape[1]
    end = (a[:, ::-1, VOICES:] > 0).argmax(axis=1)
    end = np.where((a[..., VOICES:] > 0).any(axis=1), end, steps)
    later = b[:, 1:, VOICES:] > 0
    begin = np.where(later.any(axis=1), later.argmax(axis=1) + 1, steps)
    return np.concatenate([leap, np.abs(leap), held, bass, common, end / 4, begin / 4], axis=1).astype(float)


def _correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`(n, 12)`: Pearson's, of the pitch classes x `(n, 12)` and of y moved up by 0 to 11; 0 where one has no variance."""
    x, y = (each - each.mean(axis=1, keepdims=True) for each in (x, y))
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))[:, None]
    products = np.stack([(x * np.roll(y, shift, axis=1)).sum(axis=1) for shift in range(OCTAVE)], axis=1)
    return np.divide(products, size, out=np.zeros_like(products), where=size > 0)


def _mean_pitch(grids: np.ndarray) -> np.ndarray:
    """`(n, 4)`; a silent voice has 0."""
    pitch = grids[..., :VOICES].astype(float)
    return pitch.sum(axis=1) / np.maximum((pitch > 0).sum(axis=1), 1)


def _counts(values: np.ndarray, there: np.ndarray, n: int) -> np.ndarray:
    """`(rows, n)`: how often each value 0 to n - 1 occurs in a row of `values` `(rows, ...)` where it is `there`."""
    number = np.where(there, values, n).reshape(len(values), -1) + (n + 1) * np.arange(len(values))[:, None]
    return np.bincount(number.ravel(), minlength=(n + 1) * len(values)).reshape(-1, n + 1)[:, :n].astype(float)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
