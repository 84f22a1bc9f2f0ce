"""The faults there are: how each is tried, how often, and what it found in this project first."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from chaos import clocks, deployment, disks, kills, memory, network, spoil, together


class Fault(NamedTuple):
    """`trial(seed, reference, folder)` makes the fault in a project of its own in `folder`, runs again, compares with the
    reference and says in a line what it did; it raises `AssertionError` where something is wrong."""

    trial: Callable[[int, Path, Path], str]
    of_100: int  # how many trials when there are to be 100 kills
    found: str = ""  # what failed first, and was mended
    lacking: Callable[[], str] = lambda: ""  # why it cannot be tried here

    def trials(self, count: int) -> int:
        return max(1, round(self.of_100 * count / 100))


def _terminated(seed: int, reference: Path, folder: Path) -> str:
    return kills.one(seed + 10_000, reference, folder, signal.SIGTERM)


def _no_mounts() -> str:
    return "" if disks.possible() else "this user may not make a namespace of mounts (unshare)"


def _no_postgres() -> str:
    return "" if deployment.possible() else "there is no Postgres (apt-get install postgresql, pip install '.[deploy]')"


def _no_faketime() -> str:
    return "" if clocks.possible() else "faketime is not installed (apt-get install faketime)"


FAULTS = {
    "kill -9 of a stage, its DVC or the run": Fault(
        kills.one,
        20,
        '`conservatory` killed alone: its DVC went on, and the next run ended with "busy" and DVC\'s advice to remove a lock in '
        "use; it waits now. A plain `dvc repro` killed while it writes dvc.lock takes other stages' entries along: the next "
        "plain run makes or restores them",
    ),
    "kill -9 of a deployment's worker, daemon, Postgres or code server": Fault(
        deployment.one, 40, lacking=_no_postgres
    ),
    "SIGTERM": Fault(_terminated, 3),
    "full disk": Fault(
        disks.full,
        32,
        "tracebacks of `conservatory run` itself, now a sentence; an empty place in DVC's memory of runs (a trial's own clearing "
        "made it; DVC leaves one if it ends between two steps) ended every later run of that stage: cleared now. SQLite calls a "
        "full disk an I/O error where it maps a file: the sentence for that too",
        _no_mounts,
    ),
    "read-only cache": Fault(
        disks.read_only,
        4,
        "by reading: a cache of clips that may only be read ended the stage; it is read now, and not written",
        _no_mounts,
    ),
    "a file that changed where it lies": Fault(
        spoil.one,
        2 * len(spoil.HIT),
        "by reading: a bit of the cache of clips or of a checkpoint made another result, and nobody would have known; DVC "
        "restored a spoilt file of its cache. All are checked by hash now",
    ),
    "the clock jumps": Fault(clocks.one, 4, lacking=_no_faketime),
    "two runs at once": Fault(together.one, 6),
    "memory ends": Fault(memory.one, 6),
    "the network goes away": Fault(network.one, 10),
}
