"""Irish, Scottish and American dance tunes and airs in ABC, inside the installed music21. Nothing is downloaded.

    folk: {module: folk, imports: pipelines/symbolic, books: [ryan], split: {train: 0.7, validation: 0.1, test: 0.2}, seed: 2026}

| book | tunes | what |
| --- | --- | --- |
| `ryan` | 1,059 | Ryan's Mammoth Collection (Boston 1883): fiddle tunes, mostly reels, jigs, hornpipes, strathspeys |
| `oneill` | 2,009 | O'Neill's Music of Ireland (Chicago 1903): airs and dance tunes, with double typings |
| `aird` | 1,180 | Aird's Airs (Glasgow 1782 to 1801) |

`books` names those that are read, all without it. Tunes with the same music in any key, or with one title, are one group,
in whichever book they stand: O'Neill's are typed twice in part, and the books share tunes. Repeats are written out, chord symbols
and grace notes are not read (`notes/abc`). The target is `book`.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from pipelines import corpora
from pipelines.notes.abc import read as abc
from pipelines.notes.abc import tunes
from pipelines.notes.scores import regroup
from pipelines.notes.tables import Piece
from pipelines.symbolic import corpus

BIBTEX = corpus.BIBTEX
LICENSE_INFO = (
    "the tunes are in the public domain; distributed with music21, whose licence for its corpus says that encodings may be under "
    "copyright and restricted in commercial use"
)
BOOKS = {
    "ryan": ("ryansMammoth", "Ryan's Mammoth Collection"),
    "oneill": ("oneills1850", "O'Neill's Music of Ireland"),
    "aird": ("airdsAirs", "Aird's Airs"),
}
"""Book -> (folder of music21's corpus, title)."""
UNPACKED = Path(".cache/corpora/folk")

__all__ = ["pieces", "read", "regroup"]


def pieces(entry: Mapping) -> pd.DataFrame:
    """A row a tune, each in a file of its own."""
    rows = []
    for book in entry.get("books", BOOKS):
        folder, title = BOOKS[book]
        for path in sorted((corpus.folder() / folder).glob("*.abc")):
            content = path.read_bytes()
            found = tunes.tunes(content)
            # a book of one tune is read where it is
            for unpacked, tune in [(path, found[0])] if len(found) == 1 else tunes.unpack(content, UNPACKED / book):
                where = f"{folder}/{path.name}, X: {tune.number}"
                rows.append(
                    {
                        "path": unpacked.as_posix(),
                        "title": f"{tune.title or 'without a title'} ({title}, {path.stem} {tune.number})",
                        "group": tune.title.casefold() or where,
                        "source": f"music21 {version('music21')}, {where}",
                        "target_book": book,
                    }
                )
    return corpora.table(rows, licence=LICENSE_INFO)


def read(path: Path, content: bytes) -> Piece:
    return abc.read(tunes.tunes(content)[0].text)
