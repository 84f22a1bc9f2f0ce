"""Da capo and dal segno: where a score jumps back once it has been played, and how far it is then played.

A jump is followed where the score leaves no doubt: it stands in the last bar, there is one Fine, and for a dal segno one segno.
The music between is then played without repeats, each with its last ending (Gehrkens 1914, "Music Notation and Terminology",
chapter 4). Jumps to a coda, from the middle, or without a Fine ("Menuetto da capo" of another movement, or a tune whose end only
its players know) are not followed, and are counted.
"""

import re
from collections.abc import Sequence

SEGNO, FINE, DA_CAPO, DAL_SEGNO, OTHER = "segno", "fine", "da capo", "dal segno", "another jump"
JUMPS = frozenset((DA_CAPO, DAL_SEGNO, OTHER))
UNFOLLOWED = "da capo or dal segno that is not followed"
"""The remark of a piece."""
PLACE = r"[\s^_<>@]*"  # where ABC puts a text, before it
WHOLE = {
    SEGNO: re.compile(rf"{PLACE}segno\W*", re.IGNORECASE),
    FINE: re.compile(rf"{PLACE}fine\W*", re.IGNORECASE),
    DA_CAPO: re.compile(rf"{PLACE}(?:d\.?\s?c\.?|da\s?capo)(?:\s*al\s*fine)?\W*", re.IGNORECASE),
    DAL_SEGNO: re.compile(rf"{PLACE}(?:d\.?\s?s\.?|dal\s?segno)(?:\s*al\s*fine)?\W*", re.IGNORECASE),
}
BEGINNING = re.compile(
    rf"{PLACE}(?:d\.\s?[cs]\.|d[cs]\s|.{{0,40}}\bda\s?capo\b|dal\s?segno\b|to\s?coda\b|dacoda\b)", re.IGNORECASE
)


def sign(words: str) -> frozenset[str]:
    """The mark that words in a score are; none of other words."""
    for mark, pattern in WHOLE.items():
        if pattern.fullmatch(words):
            return frozenset((mark,))
    return frozenset((OTHER,)) if BEGINNING.match(words) else frozenset()


def together(parts: Sequence[list]) -> list[list]:
    """The parts, of which the first has the marks of all: a score writes them once."""
    marks = [frozenset().union(*(bar.marks for bar in column)) for column in zip(*parts, strict=True)]
    return [[bar._replace(marks=each) for bar, each in zip(parts[0], marks, strict=True)], *parts[1:]]


def again(bars: Sequence) -> list[int]:
    """Indices of the written bars that are played once more after the last; [] where no jump is, or is followed."""
    jumps = [n for n, bar in enumerate(bars) if bar.marks & JUMPS]
    ends = [n for n, bar in enumerate(bars) if FINE in bar.marks]
    segnos = [n for n, bar in enumerate(bars) if SEGNO in bar.marks]
    if jumps != [len(bars) - 1] or len(ends) != 1:
        return []
    kinds = bars[-1].marks & JUMPS
    if kinds == {DA_CAPO}:
        first = 0
    elif kinds == {DAL_SEGNO} and len(segnos) == 1:
        first = segnos[0]
    else:
        return []
    return [n for n in range(first, ends[0] + 1) if not bars[n].endings or _last_turn(bars, n) in bars[n].endings]


def unfollowed(bars: Sequence) -> bool:
    """Is there a jump that `again` does not follow?"""
    return any(bar.marks & JUMPS for bar in bars) and not again(bars)


def _last_turn(bars: Sequence, n: int) -> int:
    """The highest turn of the endings that stand side by side around bar `n`."""
    first = last = n
    while first and bars[first - 1].endings:
        first -= 1
    while last + 1 < len(bars) and bars[last + 1].endings:
        last += 1
    return max(turn for bar in bars[first : last + 1] for turn in bar.endings)
