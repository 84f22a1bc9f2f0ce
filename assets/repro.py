"""Run stages: one `dvc repro` as a subprocess, its lines passed on as they come, each stage named when it is finished.

What stages say of their progress becomes a sentence now and then, and of a stage that says very much the rest is left to the
run's log (`conservatory logs`): each line passed on is an event in Dagster's database.

What is up to date (`pipelines/ops/status/`) is not handed to DVC, which decides of the rest itself. Not here: what Dagster is
told of a finished stage (`events.py`).
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

SAID = 500  # lines of a stage that are passed on
AGAIN, LONGEST = (
    2.0,
    30.0,
)  # seconds until a stage is tried again whose files another run reads or writes: at first, at last


class StageError(RuntimeError):
    """A stage failed; the message is the end of what it and DVC printed."""


@dataclass(frozen=True)
class Finished:
    """A stage whose outputs are in place and in dvc.lock."""

    stage: str
    changed: bool  # False: DVC found it up to date and left it alone
    status: str  # a sentence for the user
    seconds: float | None = None  # wall time of its command, if it was run
    measured: Mapping[str, object] = field(default_factory=dict)  # of its progress: items, unit, per_second


def repro(
    project: Path, stages: list[str], say: Callable[[str], None], upstream: bool = False, door: str = "Dagster"
) -> Iterator[Finished]:
    """Bring `stages` up to date and yield each as it is finished; with `upstream`, what they need as well. `door`: who asks.

    Waits while another `dvc repro` holds DVC's lock, or works on files that these stages read or write. If the consumer stops
    early, is interrupted or killed, the subprocess and what it started end too. Raises `StageError` after yielding what was
    finished before the failure.
    """
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
                told, follower.busy = follower.busy, ""
                for finished in _repro(project, due, say, upstream, follower):
                    if finished.changed or finished.stage not in done:
                        yield finished
                    done.add(finished.stage)
            if not due or not follower.busy:
                why = ""
                return
            # `--wait-for-lock` waits for the lock of the repository alone; at a file in use DVC ends
            if not told:
                say(f"another run is at work on {follower.busy}: waiting for its end")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST)
    finally:
        if follower:
            follower.end(1 if why else 0, why)


def _prepare(project: Path, stages: list[str], say: Callable[[str], None], upstream: bool) -> dict[str, None]:
    """Put right what stands in the way, and return those of the stages that are up to date. With `upstream` that is DVC's to
    find out."""
    try:
        recover(project, say)
    except Conflict as error:
        raise StageError(str(error)) from None
    with contextlib.suppress(DvcException):  # a recipe that cannot be read: DVC will say why
        forget(project, say)
    return {} if upstream else _fresh(project, stages)


def _repro(
    project: Path, stages: list[str], say: Callable[[str], None], upstream: bool, follower: Follower
) -> Iterator[Finished]:
    """One `dvc repro`. Where another run has files of these stages in use it ends early, and `follower.busy` names one."""
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
                finished.append(Finished(restored[1], True, "not run: restored from DVC's cache"))
            elif started:
                running, began, said = started[1], time.monotonic(), 0
                # only now, when a command begins, is dvc.lock sure to be written to the end and left alone for a while
                yield from finished
                finished = []
            said += 1
            if said <= SAID or line.startswith(ERROR):
                say(line)
            elif said == SAID + 1:
                say(
                    f"{running or 'DVC'} has said {SAID} lines; more are in the log: conservatory logs --run {follower.id}"
                )
        if running:
            finished.append(_ran(running, began, follower.running))
    except StageError:
        # it may be a later stage that failed, before it began
        if running and lock.read(project).get(running, before.get(running)) != before.get(running):
            finished.append(_ran(running, began, follower.running))
        if not follower.busy:
            follower.end(1)
            yield from finished
            raise
    yield from finished


def _fresh(project: Path, stages: list[str]) -> dict[str, None]:
    """Those of `stages` that are up to date. None where the recipe cannot be read: DVC will say why."""
    with contextlib.suppress(StatusError):
        return {name: None for name, state in states(project, stages).items() if state.state == FRESH}
    return {}


def lines(project: Path, command: list[str], variables: Mapping[str, str] | None = None) -> Iterator[str]:
    """What `command` prints in the project's folder, a line at a time; `variables`: its whole environment, by default ours.
    Raises `StageError` if it fails."""
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
        process.stdin.close()  # ends it, if it has not ended
        process.wait()
    if status:
        raise StageError("\n".join(tail) or f"{' '.join(command)} ended with status {status}")


def environment() -> dict[str, str]:
    """That of stages. What Dagster starts sends no alerts: its sensor does."""
    return {**call.environment(), "CONSERVATORY_ALERTS": "off"}


def _ran(stage: str, began: float, seen: Running | None) -> Finished:
    took = time.monotonic() - began
    return Finished(stage, True, f"ran in {duration(took)}", took, measured(seen.main.longest) if seen else {})
