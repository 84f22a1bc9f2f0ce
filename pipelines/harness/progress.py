"""Progress of long work: a bar in a terminal, a line every few seconds in a log."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(
    items: Iterable[T],
    description: str,
    total: int | None = None,
    unit: str = "clip",
    size: Callable[[T], int] = lambda item: 1,
) -> Iterator[T]:
    """Yield from `items`, showing count, rate and time left on standard error. An item counts for `size(item)` units.

    In a terminal this is tqdm's bar. Elsewhere (Dagster's log, CI) carriage returns would run together, so a whole line
    is printed at most every five seconds, and one at the end.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    shown = {"desc": description, "total": total, "unit": unit, "disable": total == 0}
    shown |= (
        {"dynamic_ncols": True}
        if sys.stderr.isatty()
        else {"ncols": 100, "ascii": True, "mininterval": 5, "file": _Lines()}
    )
    with tqdm(**shown) as bar:
        for item in items:
            yield item
            bar.update(size(item))


class _Lines:
    """A stream for tqdm that turns its carriage returns into lines."""

    def write(self, text: str) -> None:
        text = text.strip()
        if text:
            print(text, file=sys.stderr, flush=True)

    def flush(self) -> None:
        sys.stderr.flush()
