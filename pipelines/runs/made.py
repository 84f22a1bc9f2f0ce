"""Which run made what dvc.lock says of a stage: a line for each stage that a run has run, with the digest of its entry.

dvc.lock has no clock and names no run, and git says only which commit brought an entry in. The lines stand beside the logs, so
that retrainings in worktrees of their own add to the same file, and stay long after those are gone; of a registered version
they are also in the registry, in git. A plain `dvc repro` leaves none.
"""

import datetime
import json
import socket
from collections.abc import Mapping
from pathlib import Path

from pipelines import recipe
from pipelines.runs import log, record

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
    """Digest of an entry of dvc.lock -> `{"run", "door", "host", "time", "seconds"}` of the last run that made it: when it had
    finished the stage, and how long its command took."""
    found: dict[str, dict] = {}
    for path in sorted(project.glob("registry/*/[0-9]*.json")):
        found |= _registered(path)
    for line in record.lines(log.folder(project) / FILE):
        if line["what"] == MADE and "entry" in line:
            found[line["entry"]] = {key: line.get(key) for key in KEYS}
    return found


def of(project: Path, stages: Mapping[str, Mapping]) -> dict[str, dict]:
    """The same for entries of a dvc.lock, stage -> entry: digest -> run, of those stages whose run is known."""
    runs = known(project)
    digests = [recipe.digest(entry) for entry in stages.values()]
    return {digest: runs[digest] for digest in digests if digest in runs}


def began(run: Mapping) -> str:
    """When the command of a run (of `known`) began, ISO 8601."""
    ended = datetime.datetime.fromisoformat(run["time"])
    return (ended - datetime.timedelta(seconds=run["seconds"] or 0)).isoformat(timespec="milliseconds")


def _registered(path: Path) -> dict[str, dict]:
    """What a version of the registry says. Nothing, where it cannot be read: who reads the registry will say so."""
    try:
        runs = json.loads(path.read_text(encoding="utf-8")).get("runs", {})
        return {digest: {key: run.get(key) for key in KEYS} for digest, run in runs.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
