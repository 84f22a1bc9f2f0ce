"""What would make a run's figures wrong: music on two sides, an accompaniment as a stem, masks that depend on the level."""

import hashlib
from collections import defaultdict
from itertools import pairwise

import numpy as np

from pipelines.harness.progress import progress
from pipelines.metrics import separation
from pipelines.tasks.separation.fit.mixtures import Mixtures
from pipelines.tasks.separation.fit.network import Separator
from pipelines.tasks.separation.fit.notes import Notes, none

ALIKE_DB = 10.0
"""SDR of a stem as an estimate of the sum of the others, from which it is taken for that sum."""
ADDS_UP, SAME_LEVEL = 1e-4, 1e-3
"""Largest differences of samples, of full scale."""
MIN_NOTES = 8
"""Fewer notes may be equal by chance."""


def checks(data: Mixtures, notes: dict[str, Notes], separator: Separator) -> dict[str, tuple[bool | None, str]]:
    """Guard -> (does it hold? None: unknown, what was found). notes: of each clip, {} of a dataset without any."""
    clip = data.of("test").iloc[0]
    mixture = data.signals(clip["stems_path"]).sum(axis=0)
    written = notes.get(clip["clip_id"], none(data.names))
    estimates = separator.separate(mixture, written)
    error = float(np.abs(estimates.sum(axis=0) - mixture).max())
    quieter = float(np.abs(separator.separate(mixture / 8, written) * 8 - estimates).max())
    sides, sums, same = data.clips.groupby("group")["split"].nunique(), accompaniments(data), same_notes(data, notes)
    return {
        "no group on two sides": (
            bool((sides == 1).all()),
            f"{int((sides > 1).sum())} of {len(sides)} groups are on several sides",
        ),
        "no notes on two sides": (
            not same if notes else None,
            (", ".join(same[:3]) or f"the notes of {len(notes)} clips were compared") if notes else "no clip has notes",
        ),
        "stems add up to the mixture": (error < ADDS_UP, f"largest difference {error:.1e} of full scale"),
        "level changes no mask": (quieter < SAME_LEVEL, f"18 dB quieter, the largest difference is {quieter:.1e}"),
        "no stem is the sum of the others": (not sums, ", ".join(sums[:3]) or "in no clip"),
    }


def accompaniments(data: Mixtures) -> list[str]:
    """Stems that sound as all others of their clip together: an accompaniment that was exported as a stem."""
    found = []
    for path in progress(data.clips["stems_path"], "compare each stem with the others", len(data.clips)):
        sounds = data.signals(path)
        if sounds.any(axis=1).sum() < 3:
            continue
        total = sounds.sum(axis=0)
        for name, sound in zip(data.names, sounds, strict=True):
            if separation.sdr(total - sound, sound) > ALIKE_DB:
                found.append(f"{name} of {path}")
    return found


def same_notes(data: Mixtures, notes: dict[str, Notes]) -> list[str]:
    """Pairs of clips on different sides with the same notes at the same times, whatever their stems are called: one MIDI file in
    two renderings."""
    by_notes = defaultdict(list)
    for clip in data.clips.itertuples():
        table = np.concatenate(notes.get(clip.clip_id, none(data.names)))
        if len(table) >= MIN_NOTES:
            times = table[:, 0] - table[:, 0].min()
            order = np.lexsort((table[:, 2], np.round(times, 2)))
            key = np.stack([np.round(times, 2), table[:, 2]])[:, order]
            by_notes[hashlib.sha256(key.tobytes()).digest()].append(clip)
    pairs = []
    for clips in by_notes.values():
        pairs += [f"{a.path} and {b.path}" for a, b in pairwise(clips) if a.split != b.split]
    return pairs
