"""Bach's chorales inside the installed music21, as written: no tempo, no dynamics, no instruments. Nothing is downloaded.

    chorales: {module: chorales, imports: pipelines/symbolic, split: {train: 0.6, validation: 0.15, test: 0.25}, seed: 2026}

They are read by pipelines/symbolic/corpus.py, repeats written out and ties joined. A part of the score is a track, the highest
first, and a channel. What a score does not say is set: velocity 64, program 0, 120 quarters a minute. Grace notes are left out.
Editions of one work are one group, and so are works with the same music under other names or in other keys
(pipelines/symbolic/similarity.py). Most are in four parts; `n_tracks` says in how many.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from pipelines.notes.scores import piece_of, regroup
from pipelines.notes.tables import Piece, Unreadable
from pipelines.symbolic import corpus

BIBTEX = corpus.BIBTEX
LICENSE_INFO = (
    "files: (c) 2003, 2004 Margaret Greentree, used by permission; distributed with music21, whose licence for its corpus says "
    "that encodings may be under copyright and restricted in commercial use"
)

__all__ = ["pieces", "read", "regroup"]


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
