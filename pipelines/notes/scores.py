"""Written scores as pieces, and pieces with the same music as one group.

What a score does not say is set: velocity 64, program 0, 120 quarters a minute, no keys.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, array
from pipelines.symbolic import jumps, similarity
from pipelines.symbolic.score import NOTE, Music

VELOCITY = 64
QUARTER_S = 0.5
DIVISION = 10_080  # ticks a quarter: whole for duplets to 64th notes, and for triplets, quintuplets and septuplets
CHANNELS = (*range(9), *range(10, 16))  # without that of percussion


def piece_of(music: Music) -> Piece:
    """The note table of a score's notes and bars."""
    notes = music.notes
    times = {"onset": notes["onset"], "duration": notes["duration"]}
    times |= {f"{name}_s": QUARTER_S * values for name, values in times.items()}
    table = np.zeros(len(notes), array(NOTES, []).dtype)
    for name, values in times.items():
        table[name] = values
    table["track"], table["pitch"], table["velocity"] = notes["voice"], notes["pitch"], VELOCITY
    table["channel"] = np.take(CHANNELS, notes["voice"] % len(CHANNELS))
    metres = [(bar["numerator"], bar["denominator"]) for bar in music.bars]
    new = [0, *(n for n, (before, after) in enumerate(pairwise(metres), 1) if after != before)]
    changes = [
        {
            "onset": music.bars["onset"][n],
            "onset_s": QUARTER_S * music.bars["onset"][n],
            "numerator": metres[n][0],
            "denominator": metres[n][1],
        }
        for n in new
    ]
    return Piece(
        notes=table[np.lexsort([table["pitch"], table["track"], table["onset"]])],
        tempos=array(TEMPOS, []),
        metres=array(METRES, changes),
        keys=array(KEYS, []),
        length=music.length,
        length_s=QUARTER_S * music.length,
        division=DIVISION,
        n_tracks=int(notes["voice"].max()) + 1,
        remarks={jumps.UNFOLLOWED: 1} if music.unfollowed else {},
    )


def regroup(groups: Sequence[str], pieces: Sequence[Piece]) -> list[str]:
    """The group of each piece once works with the same music are one."""
    lines = [similarity.lines(_as_music(piece)) for piece in pieces]
    return similarity.merge(groups, similarity.same_music(lines, groups))


def _as_music(piece: Piece) -> Music:
    notes = np.zeros(len(piece.notes), NOTE)
    for name, column in {"onset": "onset", "duration": "duration", "pitch": "pitch", "voice": "track"}.items():
        notes[name] = piece.notes[column]
    return Music(notes, np.empty(0))
