"""Bach, Palestrina, Monteverdi and Beethoven inside the installed music21, as written. Nothing is downloaded.

    composers: {module: composers, imports: pipelines/symbolic}

| composer | pieces | works |
| --- | --- | --- |
| Bach | 409 chorales | 401 |
| Palestrina | 1,318 movements | 101 masses |
| Monteverdi | 48 madrigals | 48 |
| Beethoven | 22 movements, or whole quartets | 10 string quartets |

The target is `composer`. **The group of a piece is its work**: movements of one mass share their melodies, and a split by
movement would test on music that was trained on. There is no split by default, because `split` divides groups and knows no
classes, and ten quartets need to be on every side: `split: grouped` of a run does that.

Mozart (four quartets) and Haydn (two) are left out: two works on each of three sides are needed at least, and more to say how
well a composer is recognised. `few_works: true` adds them, to show what the score of such a class is worth.

The composers differ in genre, in who encoded them and in format (Humdrum for Palestrina, MusicXML for the others): a classifier
may tell editions apart, and not styles. The guards of a run say so. Pieces are read as `chorales` reads them; works with the same
music under other names are one group.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from pipelines.notes.scores import piece_of, regroup
from pipelines.notes.tables import Piece, Unreadable
from pipelines.symbolic import composers, corpus

BIBTEX = corpus.BIBTEX
LICENSE_INFO = (
    "distributed with music21, whose licence for its corpus says that encodings may be under copyright and restricted in "
    "commercial use"
)
STYLE = {"bach": "chorale", "palestrina": "palestrina", "monteverdi": "madrigal"}
"""Folder of music21 -> style of the corpus; all others are quartets."""

__all__ = ["pieces", "read", "regroup"]


def pieces(entry: Mapping) -> pd.DataFrame:
    """A row a piece; only file names and headers are read."""
    listed = composers.pieces([*composers.STYLES, *(composers.FEW_WORKS if entry.get("few_works") else ())])
    return pd.DataFrame(
        {
            "path": [str(corpus.folder() / piece.path) for _, piece in listed],
            "title": [piece.title for _, piece in listed],
            "split": "all",
            "group": [piece.work for _, piece in listed],
            "source": [f"music21 {version('music21')}, {piece.path}" for _, piece in listed],
            "licence": LICENSE_INFO,
            "sha256": "",
            "problem": "",
            "target_composer": [composer for composer, _ in listed],
        }
    )


def read(path: Path, content: bytes) -> Piece:
    """A piece of music21's folder."""
    relative = path.relative_to(corpus.folder())
    style = STYLE.get(relative.parts[0], "quartet")
    try:
        music = corpus.read(corpus.Piece(style, "", "", relative.as_posix()))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return piece_of(music)
