"""Parse the output of a running `dvc repro`, and write the current stage, its progress and its result to log and record."""

import os
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.ops.patches import repro_output
from pipelines.ops.patches.repro_output import BUSY, ERROR, EXITED, FAILED, NO_REASON, RESTORED, RUNNING, UNCHANGED
from pipelines.ops.runs import log, made_by, progress, record

TAIL = 40  # lines of output kept for the report of a failure
KILLS = (
    signal.SIGABRT,
    signal.SIGKILL,
    signal.SIGSEGV,
    signal.SIGTERM,
)  # a shell reports such an end as exit status 128 + the number
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # and cursor movements of a terminal
NAMES_OF_KILLS = "|".join(filter(None, map(signal.strsignal, KILLS)))
BURIAL = re.compile(
    rf"(?:\S+: (?:line \d+: +)?\d+ (?:{NAMES_OF_KILLS})\b.*|(?:{NAMES_OF_KILLS})(?: \(core dumped\))?)$"
)
"""What a shell prints if a signal ended a command: `dash` the name of the signal, `bash` also the command."""
ID = "CONSERVATORY_RUN"  # environment variable: the id of the run, if the caller has chosen one


@dataclass
class Running:
    """The stage whose command is running."""

    name: str
    began: float
    pace: progress.Pace = field(default_factory=progress.Pace)
    main: progress.Main = field(default_factory=progress.Main)
    tail: deque = field(default_factory=lambda: deque(maxlen=TAIL))


class Follower:
    """One run. Call `line` with each line of output in order, `error` for lines of standard error if that is separate, and `end`
    with the exit status.

    door: who started the run, for instance "conservatory run" or "Dagster run 1b2c...". as_locked: are the inputs of a failed
    stage as in dvc.lock (`dvc.freshness.as_locked`)? By default no: a change may have caused the failure."""

    def __init__(
        self, project: Path, door: str, run: str = "", as_locked: Callable[[Path, str], bool] = lambda *_: False
    ):
        repro_output.check()
        self.as_locked = as_locked
        self.project, self.id = project, run or os.environ.get(ID) or log.new_id()
        self.door = f"{door}, for {os.environ[made_by.FOR]}" if os.environ.get(made_by.FOR) else door
        self.clock = time.monotonic
        self.began = self.clock()
        self.log = log.Log(self.id, project)
        self.running: Running | None = None
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.counts = {"ran": 0, "unchanged": 0, "restored": 0}
        self.fresh: list[str] = []  # stages that DVC skipped or restored
        self.said = ""  # the stage's last line on standard error
        self.busy = ""  # the file that another run uses, at which DVC failed
        self.failed: dict | None = None  # the first of `failures`
        self.failures: list[dict] = []
        self.ended = False
        self.log.event("run", f"{self.door} began", pid=os.getpid())
        self._record(record.BEGAN, door=self.door, pid=os.getpid())

    def line(self, text: str) -> str | None:
        """Parse a line. Returns None for a line that is not about progress; for one that is, a sentence to show now, or "" if it
        is too early for the next."""
        if "\x1b" in text:
            text = COLOURS.sub("", text)
        if found := RUNNING.match(text):
            self._finish()
            self.running = Running(found[1], self.clock())
            self.log.begin(found[1])
            self.log.event("started", text)
        elif found := UNCHANGED.match(text) or RESTORED.match(text):
            self._finish()
            self.log.begin(found[1])
            self.fresh.append(found[1])
            restored = RESTORED.match(text)
            self.counts["restored" if restored else "unchanged"] += 1
            self.log.event("finished", "restored from DVC's cache" if restored else "unchanged")
            self.log.begin("")
        elif self.running and (found := progress.parse(text)):
            return self._progress(found)
        elif text.strip():
            if self.busy:
                return None
            found = FAILED.match(text)
            if found and (held := BUSY.search(found[2] or "")):
                self.busy, self.running = held[1], None
                self.log.event("waiting", f"another run uses {self.busy}")
                return None
            if found:
                self._fail(found[1], found[2] or "")
            else:
                self.tail.append(text)
                if self.running:
                    self.running.tail.append(text)
            self.log.output(text)
        return None

    def error(self, text: str) -> str | None:
        """The same for a line of standard error. Its last line is the reason of a failure, whichever stream is read first."""
        shown = self.line(text)
        text = COLOURS.sub("", text)
        if shown is None and text.strip() and not text.startswith((*NO_REASON, ERROR)) and not BURIAL.match(text):
            self.said = text
        return shown

    def end(self, status: int, why: str = "") -> None:
        """Record the end of the run by its exit status. why: the reason, if no stage failed. A second call does nothing."""
        if self.ended:
            return
        why = why or (self.busy and f"another run uses {self.busy}")
        self.ended = True
        record.made_good(self.project, self.fresh, self.id)
        if status == 0:
            self._finish()
        elif self.failed is None and not why:
            self._fail(self.running.name if self.running else "", "")
        self.log.begin("")
        failed = self.failed or {}
        reason = failed.get("reason") or why
        shown = f"ended after {progress.duration(self.seconds)}: " + (
            ", ".join(f"{count} {name}" for name, count in self.counts.items()) if status == 0 else reason or "failed"
        )
        self.log.event("ended", shown, "error" if status else "info", status=status)
        self.log.close()
        ended = {"status": status, "seconds": round(self.seconds, 1), **self.counts}
        if status:
            stage = failed.get("stage", "")
            ended |= {
                "reason": reason,
                "failed": stage,
                record.AS_LOCKED: bool(stage and self.as_locked(self.project, stage)),
            }
        self._record(record.ENDED, **ended)

    @property
    def seconds(self) -> float:
        return self.clock() - self.began

    def replay(self, lines: Iterable[tuple[float, str, bool]], status: int) -> None:
        """Take the whole output of one stage that ran beside others, once it has ended with `status`: (when, by the monotonic
        clock; a line; is it of standard error?)."""
        now = self.clock()
        for when, text, is_error in [*lines]:
            self.clock = lambda when=when: when
            (self.error if is_error else self.line)(text)
        self.clock = lambda: now
        if status == 0:
            self._finish()
        self.clock = time.monotonic

    def _progress(self, found: progress.Progress) -> str:
        running = self.running
        running.main.add(found)
        if not running.pace.due(found, self.clock()):
            return ""
        shown = f"{running.name}: {found.sentence()}"
        self.log.event("progress", shown, done=found.done, total=found.total, unit=found.unit)
        return shown

    def _finish(self) -> None:
        """Record that the running stage has succeeded."""
        self.said = self.busy = ""
        if self.running is None:
            return
        running, self.running = self.running, None
        self.counts["ran"] += 1
        seconds = self.clock() - running.began
        figures = measured(running.main.longest)
        made_by.add(
            self.project, running.name, self.id, self.door, round(seconds, 1)
        )  # dvc.lock has the stage: DVC writes it before it prints the next line
        self.log.end_output()
        shown = f"ran in {progress.duration(seconds)}"
        self.log.event("finished", shown, seconds=round(seconds, 1), **figures)
        self._record(record.STAGE, stage=running.name, state="ran", seconds=round(seconds, 1), **figures)
        self.log.begin("")

    def _fail(self, stage: str, why: str) -> None:
        seen = self.running.tail if self.running and self.running.name == stage else self.tail
        said = [line for line in seen if not line.startswith(NO_REASON) and not BURIAL.match(line)]
        reason = _reason(why, self.said or (said[-1] if said else "")) or "it ended without an error message (killed?)"
        if stage not in [failure["stage"] for failure in self.failures]:
            self.failures.append({"stage": stage, "reason": reason[:500], "detail": "\n".join(seen)[-6000:]})
            self.failed = self.failures[0]
            self.log.event("failed", reason, "error")
            if stage:
                seconds = round(self.clock() - self.running.began, 1) if self.running else None
                self._record(record.STAGE, stage=stage, state=record.FAILED, seconds=seconds, reason=reason[:500])
        if self.running and self.running.name == stage:
            self.running = None

    def _record(self, what: str, **figures: object) -> None:
        record.add(self.project, [{"time": log.now(), "run": self.id, "what": what, **figures}])


def failure(lines: Iterable[str]) -> tuple[str, str]:
    """(stage, reason) from the end of a failed run's output. The stage is "" if DVC names none."""
    said = ""
    for line in lines:
        if found := FAILED.match(line):
            return found[1], _reason(found[2] or "", said)
        if line.strip() and not progress.parse(line) and not BURIAL.match(line):
            said = line
    return "", said


def _reason(why: str, said: str) -> str:
    """The reason of a failure: DVC's message, or if that says only that the command failed, the stage's last line. If a signal
    ended the command, its last line is not the reason, and is quoted beside it."""
    if found := EXITED.search(why):
        status = int(found[1])
        number = -status if status < 0 else status - 128 if status - 128 in KILLS else 0
        if number:
            killed = f"it was killed (signal {number}{': perhaps memory ran out' if number == signal.SIGKILL else ''})"
            return f"{killed}; its last line: {said}" if said else killed
    return why if why and not (said and why.startswith("failed to run")) else said


def measured(main: progress.Progress | None) -> dict[str, object]:
    """The figures of a stage's main progress: `items`, `unit` and, if it took long enough to measure, `per_second`."""
    if main is None or not main.done:
        return {}
    rate = {"per_second": round(main.rate, 4)} if main.rate else {}
    return {"items": main.done, "unit": main.unit, **rate}
