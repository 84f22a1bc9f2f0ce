"""The faults there are: how each is tried, how often, and what it found in this project first."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from chaos import kills


class Skipped(Exception):
    """This fault cannot be made here; the message says why."""


class Fault(NamedTuple):
    """`trial(seed, reference, folder)` makes the fault in a project of its own in `folder`, runs again, compares with the
    reference and says in a line what it did; it raises `AssertionError` where something is wrong."""

    trial: Callable[[int, Path, Path], str]
    of_100: int  # how many trials when there are to be 100 kills
    found: str  # what failed first, and was mended

    def trials(self, count: int) -> int:
        return max(1, round(self.of_100 * count / 100))


def _terminated(seed: int, reference: Path, folder: Path) -> str:
    return kills.one(seed + 10_000, reference, folder, signal.SIGTERM)


FAULTS = {
    "kill -9 of a stage, its DVC, or the run": Fault(kills.one, 20, ""),
    "SIGTERM": Fault(_terminated, 3, ""),
}
