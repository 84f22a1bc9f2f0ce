"""Tracks with the same notes: a hash of notes, and how many tracks of a split share one."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

GRID_S = 0.01
"""Onsets are compared to this: files of one piece differ in resolution and in how they write its tempo."""


def note_hash(pitch: np.ndarray, onset_s: np.ndarray, drums: np.ndarray) -> str:
    """32 hex digits of notes `(n,)`: pitches, onsets from the first one in steps of `GRID_S`, and which notes are drums.

    Order, instruments, velocities, lengths, stems and silence before the first note make no difference: they are the same music.
    "" of no notes.
    """
    if not len(pitch):
        return ""
    steps = np.rint((onset_s - onset_s.min()) / GRID_S)
    rows = np.unique(np.stack([steps, pitch, drums]).astype(np.int64).T, axis=0)
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()[:32]


def audit(contents: Sequence[str], sides: Sequence[str]) -> dict[str, int]:
    """Counts of tracks that share a content (a hash), of which `sides` are the sides of the split; "" is shared by none."""
    held: dict[str, set[str]] = {}
    for content, side in zip(contents, sides, strict=True):
        held.setdefault(content, set()).add(side)
    held.pop("", None)
    shared = [content for content, n in Counter(contents).items() if n > 1 and content]
    of_test = [held.get(content, set()) for content, side in zip(contents, sides, strict=True) if side == "test"]
    return {
        "groups of duplicates": len(shared),
        "groups of duplicates on two sides": sum(len(held[content]) > 1 for content in shared),
        "test tracks": len(of_test),
        "test tracks also in train": sum("train" in found for found in of_test),
        "test tracks also in train or validation": sum(len(found) > 1 for found in of_test),
    }
