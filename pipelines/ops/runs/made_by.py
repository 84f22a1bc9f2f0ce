"""Find the run that made an output: one line for each stage that a run executed, with the digest of its dvc.lock entry.

dvc.lock has no times and names no run, and git says only which commit added an entry. The file is beside the logs, so that
retrainings in their own worktrees write to the same file; it is kept much longer than the logs. The lines of a registered version
are also in the registry, in git. A plain `dvc repro` writes none.
"""

import datetime
import socket
from collections.abc import Mapping
from pathlib import Path

from pipelines import recipe
from pipelines.ops import registrations
from pipelines.ops.runs import log, record

FILE = "made/stages.jsonl"  # in the folder of logs
MAX_BYTES = 16 << 20  # some 60,000 stages
MADE = "made"
KEYS = ("run", "door", "host", "time", "seconds")
FOR = "CONSERVATORY_FOR"
"""Environment variable: for whom a run is started, for instance "retraining 20261122T0700-1a2b"."""


def add(project: Path, stage: str, run: str, door: str, seconds: float) -> None:
    """Record that `run`, started by `door`, made the stage's present entry in dvc.lock, and how long its command took."""
    path = project / recipe.LOCK
    entry = recipe.locked_stage(path.read_text(encoding="utf-8"), stage) if path.exists() else None
    if entry is None:
        return
    line = {"time": log.now(), "run": run, "what": MADE, "stage": stage, "entry": recipe.digest(entry), "door": door}
    record.append(log.folder(project) / FILE, [line | {"host": socket.gethostname(), "seconds": seconds}], MAX_BYTES)


def known(project: Path = Path()) -> dict[str, dict]:
    """Digest of an entry of dvc.lock -> `{"run", "door", "host", "time", "seconds"}` of the first known run that made it: when it
    finished the stage, and how long the command took. `again` is the number of later runs with the same entry as result, `last`
    the last of them, with the same keys, or None."""
    runs: dict[str, list[dict]] = {}
    for _, version in registrations.records(project):
        for digest, run in _registered(version):
            runs.setdefault(digest, []).append(run)
    for line in record.lines(log.folder(project) / FILE):
        if line["what"] == MADE and "entry" in line:
            runs.setdefault(line["entry"], []).append({key: line.get(key) for key in KEYS})
    return {digest: _first(each) for digest, each in runs.items()}


def of(project: Path, stages: Mapping[str, Mapping]) -> dict[str, dict]:
    """Digest -> first run (`{"run", "door", "host", "time", "seconds"}`) of the entries of a dvc.lock (stage -> entry); only of
    stages whose run is known."""
    runs = known(project)
    digests = [recipe.digest(entry) for entry in stages.values()]
    return {digest: {key: runs[digest][key] for key in KEYS} for digest in digests if digest in runs}


def by(run: Mapping | None, commit: Mapping | None) -> tuple[dict | None, dict | None]:
    """(the run that made an entry, `{"times", "last"}` of the runs that made it again) from `known` and the commit that recorded
    it (`lineage.runs.recorded`). None if unknown: a run that finished after that commit did not make the commit's entry."""
    if run is None:
        return None, None
    first, times, last = {key: run[key] for key in KEYS}, run["again"], run["last"]
    if commit is not None and log.seconds(run["time"]) >= log.seconds(commit["committed"]) + 1:  # git has whole seconds
        first, times, last = None, times + 1, last or first
    return first, {"times": times, "last": last} if times else None


def began(run: Mapping) -> str:
    """When the command of a run (of `known`) began, ISO 8601."""
    ended = datetime.datetime.fromisoformat(run["time"])
    return (ended - datetime.timedelta(seconds=run["seconds"] or 0)).isoformat(timespec="milliseconds")


def _first(runs: list[dict]) -> dict:
    """The first run of an entry; the registry and the file may name different ones."""
    distinct = {(run["run"], run["time"]): run for run in reversed(runs)}.values()
    first, *later = sorted(distinct, key=lambda run: log.seconds(run["time"]))
    return {**first, "again": len(later), "last": later[-1] if later else None}


def _registered(record: Mapping) -> list[tuple[str, dict]]:
    """The runs that a version of the registry names."""
    try:
        found = [(digest, {key: run.get(key) for key in KEYS}) for digest, run in record.get("runs", {}).items()]
        return [
            pair
            for pair in found
            if log.seconds(pair[1]["time"]) and isinstance(pair[1]["seconds"], int | float | None)
        ]
    except registrations.DAMAGED:
        return []
