"""Collections of notes without sound, a module each; `corpora.<name>.module` in params.yaml names the module.

They stand beside `datasets`, in a map of their own, because the stages of sound take every entry of `datasets`, and a DVC matrix
cannot leave some out. A dataset of sound is fetched, listed and decoded by three stages; notes are small, and one stage reads
them. So a module has a docstring that says what the music is, and two functions in place of a dataset's `build` and `clips`:

`pieces(entry: dict) -> pandas.DataFrame`
    A row a piece: `PIECE_COLUMNS`, and one `target_<name>` column (string, may be null) a label. `entry` is the corpus's entry
    of params.yaml. Raises `ValueError` where the pieces are not those that the entry means.
`read(path: Path, content: bytes) -> notes.tables.Piece`
    The piece in a file with these bytes. Raises `notes.tables.Unreadable`.

It may have two more:

`regroup(groups, pieces) -> groups`
    The group of each piece that was read, where the music itself says that two works are one.
`events(paths, pieces) -> pandas.DataFrame`
    Targets aligned to time (`core.events.GIVEN`) of the pieces that were read, where the corpus has annotations of them.

A module never drops a piece: unreadable files are rows like any other, and the notes stage moves them to the quarantine table.
"""

import hashlib
from collections.abc import Mapping, Sequence
from types import ModuleType

import pandas as pd

from pipelines.core import plugins
from pipelines.core.splits import SIDES

PIECE_COLUMNS = {
    "path": "the file, absolute",
    "title": "what a person calls the piece",
    "split": "train, validation, test, or all where there is no split",
    "group": "pieces of one group (work, composer) never stand on two sides of a split; empty: the piece is of no other",
    "source": "where the music comes from",
    "licence": "the licence of that source",
    "sha256": "hash of the file's bytes when it was listed; empty where it is not known",
    "problem": "why the file cannot be used; empty where it can",
}


def table(rows: Sequence[Mapping], **same: str) -> pd.DataFrame:
    """The table of `pieces`: a mapping a row, and values that all rows share. What a row lacks is empty, its split `all`."""
    empty = dict.fromkeys(PIECE_COLUMNS, "") | {"split": "all"} | same
    return pd.DataFrame([empty | dict(row) for row in rows], columns=None if rows else list(empty))


def load(entry: Mapping) -> ModuleType:
    """The module of a corpus's entry. Raises `ValueError` as `plugins.load` does."""
    return plugins.load("corpus module", "pipelines/corpora", entry["module"], "pieces")


def assign_splits(groups: pd.Series, shares: Mapping[str, float], seed: int) -> pd.Series:
    """The split of each piece: whole groups, in an order drawn by `seed`, until each side has its share of the pieces.

    shares: train, validation and test, together 1. A group's place depends on its name, so that a new piece of a group that is
    there moves few others.
    """
    sizes = groups.value_counts()
    order = sorted(sizes.index, key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
    side, edges, before, share = {}, [], 0, 0.0
    for name in SIDES:
        share += shares[name]
        edges.append((share * len(groups), name))
    for group in order:
        middle = before + sizes[group] / 2
        side[group] = next((name for end, name in edges if middle <= end), edges[-1][1])
        before += sizes[group]
    return groups.map(side)
