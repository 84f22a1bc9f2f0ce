"""Find the run that made an output: one line for each stage that a run executed, with the digest of its dvc.lock entry.

dvc.lock has no clock and names no run, and git says only which commit brought an entry in. The lines stand beside the logs, so
that retrainings in worktrees of their own add to the same file, and stay long after those are gone; of a registered version
they are also in the registry, in git. A plain `dvc repro` leaves none.
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
"""Environment variable: on whose behalf a run is begun, for instance "retraining 20261122T0700-1a2b"."""


def add(project: Path, stage: str, run: str, door: str, seconds: float) -> None:
    """Note that `run`, begun by `door`, has made the stage as dvc.lock has it now, in so many seconds."""
    path = project / recipe.LOCK
    entry = recipe.locked_stage(path.read_text(encoding="utf-8"), stage) if path.exists() else None
    if entry is None:
        return
    line = {"time": log.now(), "run": run, "what": MADE, "stage": stage, "entry": recipe.digest(entry), "door": door}
    record.append(log.folder(project) / FILE, [line | {"host": socket.gethostname(), "seconds": seconds}], MAX_BYTES)


def known(project: Path = Path()) -> dict[str, dict]:
    """Digest of an entry of dvc.lock -> `{"run", "door", "host", "time", "seconds"}` of the first run known that made it: when it
    had finished the stage, and how long its command took. A later run that came to the same entry made nothing new: `again` is
    how many of those there were, `last` the last of them, with the same keys, or None."""
    runs: dict[str, list[dict]] = {}
    for _, version in registrations.records(project):
        for digest, run in _registered(version):
            runs.setdefault(digest, []).append(run)
    for line in record.lines(log.folder(project) / FILE):
        if line["what"] == MADE and "entry" in line:
            runs.setdefault(line["entry"], []).append({key: line.get(key) for key in KEYS})
    return {digest: _first(each) for digest, each in runs.items()}


def of(project: Path, stages: Mapping[str, Mapping]) -> dict[str, dict]:
    """`{"run", "door", "host", "time", "seconds"}` of the first run of entries of a dvc.lock, stage -> entry: digest -> run, of
    those stages whose run is known."""
    runs = known(project)
    digests = [recipe.digest(entry) for entry in stages.values()]
    return {digest: {key: runs[digest][key] for key in KEYS} for digest in digests if digest in runs}


def by(run: Mapping | None, commit: Mapping | None) -> tuple[dict | None, dict | None]:
    """(the run that made an entry, `{"times", "last"}` of those that made it again) from `known` and the commit that recorded it
    (`runs.recorded` of the audit). None for what is not known: who finished only after that commit did not make what it has."""
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
    """The first of the runs of an entry, which the registry and the lines may both name."""
    distinct = {(run["run"], run["time"]): run for run in reversed(runs)}.values()
    first, *later = sorted(distinct, key=lambda run: log.seconds(run["time"]))
    return {**first, "again": len(later), "last": later[-1] if later else None}


def _registered(record: Mapping) -> list[tuple[str, dict]]:
    """What a version of the registry says."""
    try:
        found = [(digest, {key: run.get(key) for key in KEYS}) for digest, run in record.get("runs", {}).items()]
        return [
            pair
            for pair in found
            if log.seconds(pair[1]["time"]) and isinstance(pair[1]["seconds"], int | float | None)
        ]
    except registrations.SPOILT:
        return []
