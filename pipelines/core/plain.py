"""Print file names and titles safely: they can contain characters that move a terminal's cursor or hide its text."""

import re
from collections.abc import Iterable

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Tabs and ends of lines stay. Lone surrogates stand for bytes of a file's name that are no UTF-8: printing them fails."""


def plain(text: str) -> str:
    """Text that a terminal shows as it is, whatever wrote it; lines stay lines."""
    return CONTROL.sub("?", text)


def one_line(text: str) -> str:
    """The same in one line."""
    return plain(text.replace("\n", " "))


def some(names: Iterable[str], before: str = "") -> str:
    """The first three of many names, after `before`: "a, b, c, ..."; "" of none."""
    names = list(map(str, names))
    return f"{before}{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else ""
