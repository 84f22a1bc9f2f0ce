"""Composers of the corpus inside music21 that have enough works to be told apart, and their pieces."""

from collections.abc import Iterable

from pipelines.symbolic import corpus

STYLES = {"Bach": "chorale", "Palestrina": "palestrina", "Monteverdi": "madrigal", "Beethoven": "quartet"}
FEW_WORKS = {"Mozart": "quartet", "Haydn": "quartet"}
"""Composer -> style of the corpus. Four and two works: too few to be on three sides of a split, and to be scored."""


def pieces(composers: Iterable[str]) -> list[tuple[str, corpus.Piece]]:
    """(composer, piece) of every piece of these composers, in a fixed order; nothing is parsed."""
    styles = STYLES | FEW_WORKS
    return [
        (composer, piece)
        for composer in composers
        for piece in corpus.catalogue(styles[composer])
        if styles[composer] != "quartet" or piece.work.startswith(f"quartet/{composer.lower()} ")
    ]
