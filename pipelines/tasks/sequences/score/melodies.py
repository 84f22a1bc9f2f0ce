"""What the melodies of held-out pieces share with training: whether a split has hymns on both sides, whatever its groups say.

A melody is the highest voice as (interval, duration) events, so that a hymn in another key is found (`memorisation.py`). A run of
n events has n + 1 notes.

Of JSB's published split, 4 of 77 test melodies share more than 80% of their events with a training melody; the longest shared
run has 10 events (median), at most 55. JSB and the chorales of music21 are the same works: 268 of 382 melodies of JSB, and 228
of 365 of music21's in four voices, share more than 80% with one of the other.
"""

from collections.abc import Sequence

import numpy as np

from pipelines.tasks.sequences.score import memorisation

MUCH = 0.8
"""Share of a melody's events in one shared run from which it is that of a training piece."""


def shared(held_out: Sequence[np.ndarray], training: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(events of the longest run that the melody of each held-out piece shares with a training melody, that as a share of it)."""
    known = memorisation.events([_melody(piece) for piece in training])
    found = memorisation.compare([_melody(piece) for piece in held_out], known)
    return found["longest"], found["longest"] / np.maximum(found["events"], 1)


def check(held_out: Sequence[np.ndarray], training: Sequence[np.ndarray]) -> tuple[bool, str]:
    """Whether no held-out melody is largely that of a training piece, and what is shared, for the record."""
    longest, share = shared(held_out, training)
    return not (share > MUCH).any(), (
        f"{(share > MUCH).sum()} of {len(share)} test melodies share more than {MUCH:.0%} of their events in one run with a "
        f"training melody; the longest shared run has {np.median(longest):g} events (median), at most {longest.max(initial=0)}"
    )


def _melody(piece: np.ndarray) -> np.ndarray:
    """The highest voice of a piece, as a piece of one voice."""
    return piece[:, :1]
