"""The results of recent stages and runs (some thousand), in `.cache/runs.jsonl`: one line per stage that ran, failed or
recovered, and two per run.

`conservatory status` reads from it why a stage failed, also without Dagster. The file may be deleted: the audit record is
dvc.lock in git."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path

from pipelines.core.files import atomic
from pipelines.ops.runs import log

FILE = ".cache/runs.jsonl"
MAX_BYTES = 2 << 20  # at this size the older half is deleted
BEGAN, ENDED, STAGE = "began", "ended", "stage"
FAILED, FRESH = "failed", "fresh"  # states of a stage; the other is "ran"
AS_LOCKED = "as_locked"  # of a failed run: were the inputs of the failed stage as in dvc.lock?
WORDS = ("time", "run", "what", "stage", "state", "door", "host", "entry", "reason", "failed", "unit")
NUMBERS = ("seconds", "items", "per_second", "pid", "status", "ran", "unchanged", "restored")


def add(project: Path, entries: Iterable[dict]) -> None:
    """Append lines. A write error (a full disk) is ignored: a run must not fail because of its record."""
    append(project / FILE, entries, MAX_BYTES)


def append(path: Path, entries: Iterable[dict], max_bytes: int) -> None:
    """Append lines to a file of this kind; beyond `max_bytes` its older half is deleted."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
            with open(path, "a+b") as file:
                if file.tell() and file.seek(-1, os.SEEK_END) and file.read(1) != b"\n":
                    file.write(b"\n")  # after an incomplete line
                file.write(text.encode("utf-8", "replace"))
            if path.stat().st_size > max_bytes:
                lines = path.read_bytes().splitlines(keepends=True)
                with atomic(path) as temporary:
                    temporary.write_bytes(b"".join(lines[len(lines) // 2 :]))


def read(project: Path) -> list[dict]:
    """All lines, oldest first; incomplete ones (after a kill) are skipped."""
    return lines(project / FILE)


def lines(path: Path) -> list[dict]:
    """The same for any file of this kind."""
    found = []
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            with contextlib.suppress(ValueError, RecursionError):
                entry = json.loads(line)
                if isinstance(entry, dict) and {"run", "what", "time"} <= entry.keys() and _sound(entry):
                    found.append(entry)
    return found


def _sound(entry: dict) -> bool:
    """Does each value have the type that is written here? Raises `ValueError` for an invalid time."""
    words = all(isinstance(entry.get(key, ""), str) for key in WORDS)
    return (
        words and all(isinstance(entry.get(key, 0), int | float) for key in NUMBERS) and log.seconds(entry["time"]) > 0
    )


def stages(entries: Iterable[dict]) -> dict[str, dict]:
    """Stage -> its newest line."""
    return {entry["stage"]: entry for entry in entries if entry["what"] == STAGE and "stage" in entry}


def made_good(project: Path, fresh: Iterable[str], run: str = "") -> list[str]:
    """Record that the last failure of these up-to-date stages is over, though they did not run. Returns those that had failed."""
    last = stages(read(project))
    repaired = [name for name in dict.fromkeys(fresh) if last.get(name, {}).get("state") == FAILED]
    if repaired:
        time = log.now()
        add(project, [{"time": time, "run": run, "what": STAGE, "stage": name, "state": FRESH} for name in repaired])
    return repaired


def runs(entries: Iterable[dict]) -> dict[str, dict]:
    """Run -> its figures, oldest first: `began`, and after its end `ended`, `status` and the other values of that line."""
    found: dict[str, dict] = {}
    for entry in entries:
        if entry["what"] == BEGAN:
            found[entry["run"]] = {**entry, "began": entry["time"]}
        elif entry["what"] == ENDED:
            found.setdefault(entry["run"], {}).update({**entry, "ended": entry["time"]})
    return found
