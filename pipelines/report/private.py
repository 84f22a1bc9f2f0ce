"""Remove private paths from a page: the locations of the music, the project and the user's home.

Only the last name of a private folder is kept: /home/ann/music/genres/rock/a.wav becomes …/genres/rock/a.wav if genres is the
dataset's folder, and ~/… elsewhere in the home directory.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from markupsafe import Markup

from pipelines.report.state import Dataset, State


def hider(state: State) -> Callable:
    """A function that gives back a value of dicts, lists, tuples and text with every private folder in its text made short.
    HTML (`Markup`) stays as it is."""
    short = {str(Path.home()): "~", os.path.realpath(Path.home()): "~"}
    for place in [str(Path.cwd()), os.environ.get("CONSERVATORY_PROJECT", ""), *_named(state.settings)]:
        _add(short, place)
    for dataset in state.datasets.values():
        for place in _elsewhere(dataset, tuple(f"{known}/" for known in short)):
            _add(short, place)
    short = {place: name for place, name in short.items() if place.count("/") and place != "/"}
    longest_first = "|".join(map(re.escape, sorted(short, key=len, reverse=True)))
    private = re.compile(rf"(?<![\w.~…-])(?:{longest_first})(?![\w-]|\.\w)")

    def hide(value):
        if isinstance(value, dict):
            return {key: hide(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(hide, value))
        if isinstance(value, str) and not isinstance(value, Markup) and "/" in value:
            return private.sub(lambda found: short[found[0]], value)
        return value

    return hide


def _add(short: dict[str, str], place: str) -> None:
    if os.path.isabs(place):
        for spelt in (place.rstrip("/"), os.path.normpath(place), os.path.realpath(place)):
            short.setdefault(spelt, f"…/{os.path.basename(spelt)}")


def _named(value) -> Iterator[str]:
    """The folders and files that parameters name, and the folders around them: a CSV's holds the music."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _named(part)
    elif isinstance(value, str) and os.path.isabs(value) and "\0" not in value:
        yield from (value, os.path.dirname(value.rstrip("/")))


def _elsewhere(dataset: Dataset, known: tuple[str, ...]) -> list[str]:
    """The folder around all files of a dataset that a CSV names by absolute paths; where they have none in common, their own."""
    paths = [*dataset.clips["path"], *dataset.clips["title"], *dataset.quarantine["path"]]
    folders = {os.path.dirname(path) for path in paths if os.path.isabs(path) and not path.startswith(known)}
    around = os.path.commonpath(folders) if folders else ""
    return sorted(folders) if around == "/" else [around]
