"""A run's log: JSON lines in `.cache/logs/<run>.jsonl` (or in CONSERVATORY_LOGS), shown by `conservatory logs`.

A line has `time` (UTC), `run`, `stage` ("" for the run itself), `event` (run, started, output, progress, finished, failed,
ended), `level` (info, warning, error) and `message`. Each run has its own file, so no two processes write one file. Space is
bounded: only the first and last lines of a stage's output are kept, a file has a few MB at most, and only the newest files are
kept.
"""

import contextlib
import datetime
import json
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import psutil

FIRST, LAST = 500, 50  # lines of a stage's output
MAX_BYTES = 5 << 20  # of output in one file; results of stages are written beyond it
MAX_RUNS = 30


def folder(project: Path = Path()) -> Path:
    return Path(os.environ.get("CONSERVATORY_LOGS") or project / ".cache/logs")


def new_id() -> str:
    """For instance 20261121T214000Z-3fa9c2: sorts by time."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def seconds(time: str) -> float:
    """The time of a line as seconds since 1970. Raises `ValueError` for an invalid time."""
    return datetime.datetime.fromisoformat(time).timestamp()


class Log:
    """Writes the log of one run. A full disk or a read-only folder ends the log, not the run."""

    def __init__(self, run: str, project: Path = Path()):
        self.run, self.stage = run, ""
        self.path = folder(project) / f"{run}.jsonl"
        self.n_output, self.last = 0, deque(maxlen=LAST)
        self.file = None
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            prune(self.path.parent, MAX_RUNS - 1)
            self.file = open(self.path, "a", encoding="utf-8", errors="replace")  # noqa: SIM115, closed by close()

    def event(self, event: str, message: str, level: str = "info", **figures: object) -> None:
        """Write one line at once, for readers that follow the log."""
        if self.file is None:
            return
        entry = {
            "time": now(),
            "run": self.run,
            "stage": self.stage,
            "event": event,
            "level": level,
            "message": message,
        }
        try:
            self.file.write(json.dumps({**entry, **figures}, ensure_ascii=False) + "\n")
            self.file.flush()
        except (OSError, ValueError) as error:  # ValueError: closed
            print(f"The run's log cannot be continued ({error}); the run continues.", file=sys.stderr)
            with contextlib.suppress(OSError, ValueError):
                self.file.close()
            self.file = None

    def begin(self, stage: str) -> None:
        """Attribute the next lines to `stage`."""
        self.end_output()
        self.stage = stage

    def output(self, line: str) -> None:
        self.n_output += 1
        if self.n_output <= FIRST and self.file is not None and self.file.tell() < MAX_BYTES:
            self.event("output", line, _level(line))
        else:
            self.last.append(line)

    def end_output(self) -> None:
        """Write the last lines of the stage's output, if some were left out."""
        if left_out := self.n_output - min(self.n_output, FIRST) - len(self.last):
            self.event("output", f"({left_out} lines are left out here)", "warning")
        for line in self.last:
            self.event("output", line, _level(line))
        self.n_output = 0
        self.last.clear()

    def close(self) -> None:
        self.end_output()
        if self.file is not None:
            self.file.close()
            self.file = None


def prune(where: Path, keep: int) -> None:
    """Remove the oldest files until `keep` are left."""
    for path in runs(where)[: -keep or None]:
        path.unlink(missing_ok=True)


def runs(where: Path) -> list[Path]:
    """The files of runs, oldest first."""
    return sorted(where.glob("*.jsonl"))


def alive(pid: int | None, began: str) -> bool:
    """Is the process that started a run at that time alive? Not if it is a zombie, or if another process got its number later."""
    try:
        process = psutil.Process(pid) if pid is not None else None
        return (
            process is not None
            and seconds(began) - process.create_time() > -1
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.Error, ValueError, TypeError):
        return False


def read(path: Path, follow: bool = False) -> Iterator[dict]:
    """The lines of a run's log; with `follow` also later lines, until the run or its process has ended or the reader stops. An
    incomplete line (a kill) and invalid JSON are skipped."""
    with open(path, encoding="utf-8", errors="replace") as file:
        half, began, gone = "", None, False
        while True:
            line = file.readline()
            if line and not line.endswith("\n"):
                half += line
            elif line:
                with contextlib.suppress(ValueError):
                    entry = json.loads(half + line)
                    if isinstance(entry, dict) and "message" in entry:
                        began = entry if entry.get("event") == "run" else began
                        yield entry
                        if follow and entry.get("event") == "ended":
                            return
                half = ""
            elif not follow or gone or not path.exists():
                return
            elif began and not alive(began.get("pid"), str(began.get("time"))):
                gone = True  # it may have written its last lines since the file was read
            else:
                time.sleep(0.3)


def _level(line: str) -> str:
    """The level that DVC or Python's logging gives a line."""
    if line.startswith(("ERROR", "Traceback")):
        return "error"
    return "warning" if line.startswith("WARNING") or "Warning:" in line else "info"
