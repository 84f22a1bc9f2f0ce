"""Bach's chorales inside the installed music21, as written: no tempo, no dynamics, no instruments. Nothing is downloaded.

    chorales: {module: chorales, imports: pipelines/symbolic, split: {train: 0.6, validation: 0.15, test: 0.25}, seed: 2026}

They are read by pipelines/symbolic/corpus.py, repeats written out and ties joined. A part of the score is a track, the highest
first, and a channel. What a score does not say is set: velocity 64, program 0, 120 quarters a minute. Grace notes are left out.
Editions of one work are one group, and so are works with the same music under other names or in other keys
(pipelines/symbolic/similarity.py). Most are in four parts; `n_tracks` says in how many.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, Unreadable, array
from pipelines.symbolic import corpus, similarity
from pipelines.symbolic.score import NOTE, Music

BIBTEX = corpus.BIBTEX
LICENSE_INFO = (
    "files: (c) 2003, 2004 Margaret Greentree, used by permission; distributed with music21, whose licence for its corpus says "
    "that encodings may be under copyright and restricted in commercial use"
)
VELOCITY = 64
QUARTER_S = 0.5
DIVISION = 10_080  # ticks a quarter: whole for duplets to 64th notes, and for triplets, quintuplets and septuplets
CHANNELS = (*range(9), *range(10, 16))  # without that of percussion


def pieces(entry: Mapping) -> pd.DataFrame:
    """A row a chorale; only file names and titles are read."""
    listed = corpus.catalogue("chorale")
    return pd.DataFrame(
        {
            "path": [str(corpus.folder() / piece.path) for piece in listed],
            "title": [piece.title for piece in listed],
            "split": "all",
            "group": [piece.work for piece in listed],
            "source": [f"music21 {version('music21')}, {piece.path}" for piece in listed],
            "licence": LICENSE_INFO,
            "sha256": "",
            "problem": "",
        }
    )


def read(path: Path, content: bytes) -> Piece:
    """A chorale of music21's folder."""
    relative = path.relative_to(corpus.folder()).as_posix()
    try:
        music = corpus.read(corpus.Piece("chorale", "", "", relative))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return piece_of(music)


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
