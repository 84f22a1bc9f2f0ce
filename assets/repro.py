"""Run stages: one `dvc repro` as a subprocess, its lines passed on as they come, each stage named when it is finished.

Not here: what Dagster is told of a finished stage (`events.py`). DVC itself decides what is unchanged.
"""

import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assets import guard, lock
from pipelines.recover import recover

TAIL = 40  # lines of output that a failure quotes
RUNNING = re.compile(r"Running stage '(?:dvc\.yaml:)?(.+)':$")
UNCHANGED = re.compile(r"Stage '(?:dvc\.yaml:)?(.+)' didn't change, skipping$")
RESTORED = re.compile(r"Stage '(?:dvc\.yaml:)?(.+)' is cached - skipping run, checking out outputs$")
BUSY = re.compile(r"'(.+)' is busy, it is being blocked by:")
AGAIN = 2.0  # seconds until a stage is tried again whose files another run reads or writes
CHATTER = ("To track the changes with git", "\tgit add", "To enable auto staging", "\tdvc config", "Use `dvc push`",
           "Updating lock file", "Generating lock file", "Data and pipelines are up to date")  # fmt: skip


class StageError(RuntimeError):
    """A stage failed; the message is the end of what it and DVC printed."""


@dataclass(frozen=True)
class Finished:
    """A stage whose outputs are in place and in dvc.lock."""

    stage: str
    changed: bool  # False: DVC found it up to date and left it alone
    status: str  # a sentence for the user
    seconds: float | None = None  # wall time of its command, if it was run


def repro(project: Path, stages: list[str], say: Callable[[str], None], upstream: bool = False) -> Iterator[Finished]:
    """Bring `stages` up to date and yield each as it is finished; with `upstream`, what they need as well.

    Waits while another `dvc repro` holds DVC's lock, or works on files that these stages read or write. If the consumer stops
    early, is interrupted or killed, the subprocess and what it started end too. Raises `StageError` after yielding what was
    finished before the failure.
    """
    done: set[str] = set()
    waiting = False
    while True:
        try:
            for finished in _repro(project, stages, say, upstream):
                if finished.changed or finished.stage not in done:
                    yield finished
                done.add(finished.stage)
            return
        except StageError as error:
            # `--wait-for-lock` waits for the lock of the repository alone; at a file in use DVC ends
            busy = BUSY.search(str(error))
            if not busy:
                raise
            if not waiting:
                say(f"another run is at work on {busy[1]}: waiting for its end")
            waiting = True
        time.sleep(AGAIN)


def _repro(project: Path, stages: list[str], say: Callable[[str], None], upstream: bool) -> Iterator[Finished]:
    """The same, once."""
    options = [] if upstream else ["--single-item"]
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", *options, *stages]
    recover(project, say)
    before = lock.read(project)
    running, began = None, time.monotonic()
    finished: list[Finished] = []
    try:
        for line in lines(project, command):
            if not line.strip() or line.startswith(CHATTER):
                continue
            started, unchanged, restored = RUNNING.match(line), UNCHANGED.match(line), RESTORED.match(line)
            if running and (started or unchanged or restored):
                finished.append(_ran(running, began))
                running = None
            if unchanged:
                finished.append(Finished(unchanged[1], False, "unchanged, skipped by DVC"))
            elif restored:
                finished.append(Finished(restored[1], True, "not run: restored from DVC's cache"))
            elif started:
                running, began = started[1], time.monotonic()
                # only now, when a command begins, is dvc.lock sure to be written to the end and left alone for a while
                yield from finished
                finished = []
            say(line)
    except StageError:
        # it may be a later stage that failed, before it began
        if running and lock.read(project).get(running, before.get(running)) != before.get(running):
            finished.append(_ran(running, began))
        yield from finished
        raise
    if running:
        finished.append(_ran(running, began))
    yield from finished


def lines(project: Path, command: list[str]) -> Iterator[str]:
    """What `command` prints in the project's folder, a line at a time. Raises `StageError` if it fails."""
    tail: deque[str] = deque(maxlen=TAIL)
    process = subprocess.Popen(
        [sys.executable, "-I", guard.__file__, *command],
        cwd=project,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        for line in process.stdout:
            tail.append(line.rstrip())
            yield line.rstrip()
        status = process.wait()
    finally:
        process.stdin.close()  # ends it, if it has not ended
        process.wait()
    if status:
        raise StageError("\n".join(tail) or f"{' '.join(command)} ended with status {status}")


def environment() -> dict[str, str]:
    """This process's environment, with this interpreter's folder first on PATH: stages say `python`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}


def _ran(stage: str, began: float) -> Finished:
    took = time.monotonic() - began
    minutes, seconds = divmod(round(took), 60)
    return Finished(stage, True, f"ran in {minutes} min {seconds} s" if minutes else f"ran in {seconds} s", took)
