"""Run stages for Dagster: one `dvc repro` as a subprocess; its output is passed on, and each stage is reported when it finishes.

Each line passed on is an event in Dagster's database. So progress bars become a sentence now and then, and of a stage with much
output only the first lines are passed on; the run's log (`conservatory logs`) has the rest.

Stages that are up to date (`pipelines/ops/dvc/freshness.py`) are not passed to DVC. `events.py` makes the event for a finished
stage.
"""

import contextlib
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvc.exceptions import DvcException

from assets import lock
from assets.patches import guard
from pipelines.ops.dvc.freshness import FRESH, StatusError, as_locked, states
from pipelines.ops.dvc.recover import Conflict, forget, recover
from pipelines.ops.patches.repro_output import ADVICE, ERROR, RESTORED, RUNNING, UNCHANGED
from pipelines.ops.runs import call
from pipelines.ops.runs.follow import TAIL, Follower, Running, measured
from pipelines.ops.runs.lines import bounded
from pipelines.ops.runs.progress import duration

SAID = 500  # lines of a stage that are passed on to Dagster
AGAIN, LONGEST = (
    2.0,
    30.0,
)  # seconds between tries while another run uses a stage's files: the first and the longest pause


class StageError(RuntimeError):
    """A stage failed; the message is the end of its output and DVC's."""


@dataclass(frozen=True)
class Finished:
    """A stage whose outputs are in place and in dvc.lock."""

    stage: str
    changed: bool  # False: it was up to date
    status: str  # a sentence for the user
    seconds: float | None = None  # wall time of its command, if it was run
    measured: Mapping[str, object] = field(default_factory=dict)  # its progress: items, unit, per_second


def repro(
    project: Path, stages: list[str], say: Callable[[str], None], upstream: bool = False, door: str = "Dagster"
) -> Iterator[Finished]:
    """Bring `stages` up to date, with `upstream` also the stages they need, and yield each when it has finished. `door`: who
    asked.

    Waits while another `dvc repro` holds DVC's lock, or uses files of these stages. If the consumer stops early, is interrupted
    or killed, the subprocess and its child processes end too. Raises `StageError` after yielding the stages that finished before
    the failure."""
    done: set[str] = set()
    follower, why, pause = None, "interrupted", AGAIN
    try:
        while True:
            fresh = _prepare(project, stages, say, upstream)
            yield from (Finished(name, False, "unchanged, not run") for name in fresh if name not in done)
            done.update(fresh)
            due = [name for name in stages if name not in fresh]
            if due:
                follower = follower or Follower(project, door, as_locked=as_locked)
                announced, follower.busy = follower.busy, ""
                for finished in _repro(project, due, say, upstream, follower):
                    if finished.changed or finished.stage not in done:
                        yield finished
                    done.add(finished.stage)
            if not due or not follower.busy:
                why = ""
                return
            # `--wait-for-lock` waits for the lock of the repository only; DVC fails on a file in use
            if not announced:
                say(f"another run uses {follower.busy}: waiting for its end")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST)
    finally:
        if follower:
            follower.end(1 if why else 0, why)


def _prepare(project: Path, stages: list[str], say: Callable[[str], None], upstream: bool) -> dict[str, None]:
    """Clean up after a crashed run, and return the stages that are up to date; none with `upstream`, where DVC finds out."""
    try:
        recover(project, say)
    except Conflict as error:
        raise StageError(str(error)) from None
    with contextlib.suppress(DvcException):  # a recipe that cannot be read: DVC reports why
        forget(project, say)
    return {} if upstream else _fresh(project, stages)


def _repro(
    project: Path, stages: list[str], say: Callable[[str], None], upstream: bool, follower: Follower
) -> Iterator[Finished]:
    """One `dvc repro`. If another run uses a file of these stages, it ends early, and `follower.busy` is that file."""
    options = [] if upstream else ["--single-item"]
    command = [sys.executable, "-m", "pipelines.ops.dvc.lock", "--wait-for-lock", "repro", *options, *stages]
    before = lock.read(project)
    running, began, said = None, time.monotonic(), 0
    finished: list[Finished] = []
    try:
        for line in lines(project, command, call.without_secrets(environment())):
            ended = follower.running
            progress = follower.line(line)
            if progress is not None:
                if progress:
                    say(progress)
                continue
            if follower.busy or not line.strip() or line.startswith(ADVICE):
                continue
            started, unchanged, restored = RUNNING.match(line), UNCHANGED.match(line), RESTORED.match(line)
            if running and (started or unchanged or restored):
                finished.append(_ran(running, began, ended))
                running = None
            if unchanged:
                finished.append(Finished(unchanged[1], False, "unchanged, not run"))
            elif restored:
                finished.append(Finished(restored[1], True, "not run: outputs restored from DVC's cache"))
            elif started:
                running, began, said = started[1], time.monotonic(), 0
                # dvc.lock is complete only now: DVC has written it before it starts the next command
                yield from finished
                finished = []
            said += 1
            if said <= SAID or line.startswith(ERROR):
                say(line)
            elif said == SAID + 1:
                say(f"{running or 'DVC'} has printed {SAID} lines; for more: conservatory logs --run {follower.id}")
        if running:
            finished.append(_ran(running, began, follower.running))
    except StageError:
        # a later stage may have failed before it began
        if running and lock.read(project).get(running, before.get(running)) != before.get(running):
            finished.append(_ran(running, began, follower.running))
        if not follower.busy:
            follower.end(1)
            yield from finished
            raise
    yield from finished


def _fresh(project: Path, stages: list[str]) -> dict[str, None]:
    """The stages that are up to date; none if the recipe cannot be read, which DVC reports."""
    with contextlib.suppress(StatusError):
        return {name: None for name, state in states(project, stages).items() if state.state == FRESH}
    return {}


def lines(project: Path, command: list[str], variables: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run `command` in the project's folder and yield its output by lines. variables: its environment, by default
    `environment()`. Raises `StageError` if it fails."""
    tail: deque[str] = deque(maxlen=TAIL)
    process = subprocess.Popen(
        [sys.executable, "-I", guard.__file__, *command],
        cwd=project,
        env=environment() if variables is None else variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        for line in bounded(process.stdout):
            tail.append(line.rstrip())
            yield line.rstrip()
        status = process.wait()
    finally:
        process.stdin.close()  # ends the command if it still runs
        process.wait()
    if status:
        raise StageError("\n".join(tail) or f"{' '.join(command)} failed with exit status {status}")


def environment() -> dict[str, str]:
    """The environment of stages. Runs that Dagster starts send no alerts themselves; its sensor does."""
    return {**call.environment(), "CONSERVATORY_ALERTS": "off"}


def _ran(stage: str, began: float, seen: Running | None) -> Finished:
    took = time.monotonic() - began
    return Finished(stage, True, f"ran in {duration(took)}", took, measured(seen.main.longest) if seen else {})
