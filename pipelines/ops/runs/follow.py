"""Follow a `dvc repro` by its output: the current stage, its progress and its result go to the log and the record."""

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

TAIL = 40  # lines of output that a failure quotes
KILLS = (signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)  # of which a shell makes 128 and the number
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # and movements, of a terminal
NAMES_OF_KILLS = "|".join(filter(None, map(signal.strsignal, KILLS)))
BURIAL = re.compile(
    rf"(?:\S+: (?:line \d+: +)?\d+ (?:{NAMES_OF_KILLS})\b.*|(?:{NAMES_OF_KILLS})(?: \(core dumped\))?)$"
)
"""What a shell says of a command that a signal ended: `dash` the name of the signal, `bash` that and the command."""
ID = "CONSERVATORY_RUN"  # names the run, where whoever began it has a name for it


@dataclass
class Running:
    """The stage whose command runs."""

    name: str
    began: float = field(default_factory=time.monotonic)
    pace: progress.Pace = field(default_factory=progress.Pace)
    main: progress.Main = field(default_factory=progress.Main)
    tail: deque = field(default_factory=lambda: deque(maxlen=TAIL))


class Follower:
    """One run. `line` takes what DVC and its stages print, in order, or where it comes on two channels `error` what comes on
    standard error; `end` says how the run ended.

    door: who began it, for instance "conservatory run" or "Dagster run 1b2c...". as_locked: does a stage that failed read what
    dvc.lock says (`status.stages.as_locked`)? Who does not say lets it be taken to have failed by a change.
    """

    def __init__(
        self, project: Path, door: str, run: str = "", as_locked: Callable[[Path, str], bool] = lambda *_: False
    ):
        repro_output.check()
        self.as_locked = as_locked
        self.project, self.id = project, run or os.environ.get(ID) or log.new_id()
        self.door = f"{door}, for {os.environ[made_by.FOR]}" if os.environ.get(made_by.FOR) else door
        self.began = time.monotonic()
        self.log = log.Log(self.id, project)
        self.running: Running | None = None
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.counts = {"ran": 0, "unchanged": 0, "restored": 0}
        self.fresh: list[str] = []  # stages that DVC left alone or restored
        self.said = ""  # the stage's last word on standard error
        self.busy = ""  # the file at which DVC ended, because another run has it in use
        self.failed: dict | None = None  # the first of `failures`
        self.failures: list[dict] = []
        self.ended = False
        self.log.event("run", f"{self.door} began", pid=os.getpid())
        self._record(record.BEGAN, door=self.door, pid=os.getpid())

    def line(self, text: str) -> str | None:
        """Take a line. Returns a sentence on the stage's progress if it is one of progress and due, "" if it is and is not due,
        and None for any other."""
        if "\x1b" in text:
            text = COLOURS.sub("", text)
        if found := RUNNING.match(text):
            self._finish()
            self.running = Running(found[1])
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
                self.log.event("waiting", f"another run is at work on {self.busy}")
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
        """The same for a line of standard error. Its last is why a stage failed, whichever channel is read first."""
        told = self.line(text)
        text = COLOURS.sub("", text)
        if told is None and text.strip() and not text.startswith((*NO_REASON, ERROR)) and not BURIAL.match(text):
            self.said = text
        return told

    def end(self, status: int, why: str = "") -> None:
        """The run has ended, 0: well. `why` is for an end that is no stage's. A second call does nothing."""
        if self.ended:
            return
        why = why or (self.busy and f"another run is at work on {self.busy}")
        self.ended = True
        record.made_good(self.project, self.fresh, self.id)
        if status == 0:
            self._finish()
        elif self.failed is None and not why:
            self._fail(self.running.name if self.running else "", "")
        self.log.begin("")
        failed = self.failed or {}
        reason = failed.get("reason") or why
        told = f"ended after {progress.duration(self.seconds)}: " + (
            ", ".join(f"{count} {name}" for name, count in self.counts.items()) if status == 0 else reason or "failed"
        )
        self.log.event("ended", told, "error" if status else "info", status=status)
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
        return time.monotonic() - self.began

    def _progress(self, found: progress.Progress) -> str:
        running = self.running
        running.main.add(found)
        if not running.pace.due(found, time.monotonic()):
            return ""
        told = f"{running.name}: {found.sentence()}"
        self.log.event("progress", told, done=found.done, total=found.total, unit=found.unit)
        return told

    def _finish(self) -> None:
        """The stage that ran has ended well: DVC goes on."""
        self.said = self.busy = ""
        if self.running is None:
            return
        running, self.running = self.running, None
        self.counts["ran"] += 1
        seconds = time.monotonic() - running.began
        figures = measured(running.main.longest)
        made_by.add(
            self.project, running.name, self.id, self.door, round(seconds, 1)
        )  # DVC writes dvc.lock before it goes on
        self.log.end_output()
        told = f"ran in {progress.duration(seconds)}"
        self.log.event("finished", told, seconds=round(seconds, 1), **figures)
        self._record(record.STAGE, stage=running.name, state="ran", seconds=round(seconds, 1), **figures)
        self.log.begin("")

    def _fail(self, stage: str, why: str) -> None:
        seen = self.running.tail if self.running and self.running.name == stage else self.tail
        said = [line for line in seen if not line.startswith(NO_REASON) and not BURIAL.match(line)]
        reason = _reason(why, self.said or (said[-1] if said else "")) or "it ended without a word (killed?)"
        if stage not in [failure["stage"] for failure in self.failures]:
            self.failures.append({"stage": stage, "reason": reason[:500], "detail": "\n".join(seen)[-6000:]})
            self.failed = self.failures[0]
            self.log.event("failed", reason, "error")
            if stage:
                seconds = round(time.monotonic() - self.running.began, 1) if self.running else None
                self._record(record.STAGE, stage=stage, state=record.FAILED, seconds=seconds, reason=reason[:500])
        if self.running and self.running.name == stage:
            self.running = None

    def _record(self, what: str, **figures: object) -> None:
        record.add(self.project, [{"time": log.now(), "run": self.id, "what": what, **figures}])


def failure(lines: Iterable[str]) -> tuple[str, str]:
    """(stage, reason) of the end of a failed run's output. Stage "" where DVC names none."""
    said = ""
    for line in lines:
        if found := FAILED.match(line):
            return found[1], _reason(found[2] or "", said)
        if line.strip() and not progress.parse(line) and not BURIAL.match(line):
            said = line
    return "", said


def _reason(why: str, said: str) -> str:
    """What DVC says; where that is only that the command failed, what the stage said last. Of one that a signal ended, its last
    word may be of success, and is not why."""
    if found := EXITED.search(why):
        status = int(found[1])
        number = -status if status < 0 else status - 128 if status - 128 in KILLS else 0
        if number:
            killed = f"it was killed (signal {number}{': perhaps memory ran out' if number == signal.SIGKILL else ''})"
            return f"{killed}; it said last: {said}" if said else killed
    return why if why and not (said and why.startswith("failed to run")) else said


def measured(main: progress.Progress | None) -> dict[str, object]:
    """The figures of a stage's main progress: `items`, `unit` and, where it took long enough to say, `per_second`."""
    if main is None or not main.done:
        return {}
    rate = {"per_second": round(main.rate, 4)} if main.rate else {}
    return {"items": main.done, "unit": main.unit, **rate}
