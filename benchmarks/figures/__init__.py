"""What the benchmarks share: a line that says what is measured and for how long, then each figure when it is known."""

import json
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path


def announce(what: str, minutes: str) -> None:
    print(f"{what}; about {minutes} on two cores with the default options", flush=True)


def plain(key: str, figure: float) -> str:
    return f"{key:28s} {figure:8.3g}"


def show(figures: Generator, file: Path | None, line: Callable = plain, document: Callable = dict) -> dict:
    """Print `line(key, figure)` of each pair when it comes, and write `document` of all so far to the file, if there is
    one. Returns key -> figure."""
    file, found = file and file.resolve(), {}  # resolved now, because a benchmark may change the working directory

    def keep() -> None:
        if file:
            file.write_text(json.dumps(document(found), indent=2) + "\n")

    keep()  # a file that cannot be written is known before anything is measured
    with closing(figures):  # its servers and folders go now, also when the output's reader has gone
        for key, figure in figures:
            found[key] = figure
            keep()
            print(line(key, figure), flush=True)
    return found
