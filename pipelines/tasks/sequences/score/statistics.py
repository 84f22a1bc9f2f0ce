"""Statistics by which a degenerate generator is known, and the bounds that music of people has.

Those of chorales were set by the 229 training pieces of the JSB Chorales, which have 3.92 different pitches at once, 14.3 notes a
bar and 2.94 bits. They are of no other music: `held_out` takes the bounds of a corpus from its own validation pieces.
"""

from collections.abc import Mapping, Sequence

import numpy as np

BAR = 16
WHAT = {
    "polyphony": "different pitches that sound at once",
    "onsets_per_bar": "notes that begin in a bar of 16 steps",
    "pitch_class_entropy": "bits, of the pitch classes of a piece's cells",
    "distinct": "share of pieces that equal no other",
}
DISTINCT = (0.9, 1.0)
CHORALES = {
    "polyphony": (3.5, 4.0),
    "onsets_per_bar": (9.0, 18.0),
    "pitch_class_entropy": (2.6, 3.1),
    "distinct": DISTINCT,
}
MIDDLE = (5, 95)
"""Percentiles of single held-out pieces between which the mean of generated ones must lie."""
SLACK = 1e-9  # melodies have one pitch at once, each of them
Bounds = Mapping[str, tuple[float, float]]


def bounds(gate: str, people: Sequence[np.ndarray], longest: int) -> Bounds:
    """Statistic -> (lowest, highest) of a gate: `chorales`, or `held_out`, the middle nine tenths of single pieces of `people`,
    each cut to the `longest` steps of a generated piece, without those that are silent so long; none for `none`."""
    if gate == "chorales":
        return CHORALES
    if gate == "none":
        return {}
    each = [of([piece[:longest]]) for piece in people if piece[:longest].any()]
    found = {name: np.percentile([one[name] for one in each], MIDDLE) for name in WHAT if name != "distinct"}
    return {name: (float(low), float(high)) for name, (low, high) in found.items()} | {"distinct": DISTINCT}


def of(pieces: Sequence[np.ndarray]) -> dict[str, float]:
    """Of pieces `(steps, voices)`: polyphony, over steps that sound; onsets a bar; entropy of pitch classes in bits, a mean over
    pieces (a generator that stays in one key a piece, each in another, is not degenerate); share of distinct pieces."""
    ordered = [np.sort(piece, axis=1) for piece in pieces]
    different = [((one > 0) & (np.diff(one, axis=1, prepend=0) > 0)).sum(axis=1) for one in ordered]
    sounding = np.concatenate(different)
    begins = [(np.diff(piece.astype(int), axis=0, prepend=0) != 0) & (piece > 0) for piece in pieces]
    return {
        "polyphony": float(sounding[sounding > 0].mean()) if sounding.any() else 0.0,
        "onsets_per_bar": float(BAR * sum(each.sum() for each in begins) / sum(map(len, pieces))),
        "pitch_class_entropy": float(np.mean([_entropy(piece[piece > 0] % 12) for piece in pieces])),
        "distinct": len({piece.tobytes() for piece in pieces}) / len(pieces),
    }


def outside(found: Mapping[str, float], bounds: Bounds) -> dict[str, tuple[bool, str]]:
    """Statistic -> (within its bounds, sentence)."""
    return {
        name: (
            bool(low - SLACK <= found[name] <= high + SLACK),
            f"{found[name]:.2f} {WHAT[name]}; {low:.3g} to {high:.3g} in this music",
        )
        for name, (low, high) in bounds.items()
    }


def _entropy(classes: np.ndarray) -> float:
    shares = np.bincount(classes, minlength=12) / max(len(classes), 1)
    return float(-np.sum(shares * np.log2(np.where(shares > 0, shares, 1))))
