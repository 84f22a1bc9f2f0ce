"""Progress on long work: a bar in a terminal, a line every few seconds in a log."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], description: str, total: int | None = None, unit: str = "clip") -> Iterator[T]:
    """Yield from `items`, showing count, rate and time left on standard error.

    In a terminal this is tqdm's bar. Elsewhere (Dagster's log, CI) carriage returns would run together, so a whole line
    is printed at most every five seconds, and one at the end.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    if sys.stderr.isatty():
        yield from tqdm(items, desc=description, total=total, unit=unit, dynamic_ncols=True)
        return
    bar = tqdm(items, desc=description, total=total, unit=unit, ncols=100, ascii=True, mininterval=5, file=_Lines())
    yield from bar


class _Lines:
    """A stream for tqdm that turns its carriage returns into lines."""

    def write(self, text: str) -> None:
        text = text.strip()
        if text:
            print(text, file=sys.stderr, flush=True)

    def flush(self) -> None:
        sys.stderr.flush()
