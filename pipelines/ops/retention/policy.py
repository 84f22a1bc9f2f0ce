"""`retention` in params.yaml: delete what is older than `keep_days`, except the `keep_last` newest."""

import time
from collections.abc import Iterable
from pathlib import Path

from pipelines.core import params
from pipelines.ops.settings import load_params

ALSO = {"training": Path(".cache/training"), "downloads": Path(".cache/downloads"), "corrupt": Path(".dvc/tmp/corrupt")}
"""Deleted only if named with `--also`."""
DEFAULTS = {
    "experiments": {"keep_days": 90, "keep_last": 10},
    "retrainings": {"keep_days": 14, "keep_last": 0},
    "cache": {"keep_days": 14},
    "runs": {"keep_days": 90, "keep_last": 50},
    "automatic": False,
}
DAY = 86_400.0


def read(project: Path) -> dict:
    """The policy of params.yaml, with DEFAULTS. `SystemExit` with a message if it is invalid."""
    given = load_params(project / params.PARAMS).get("retention") or {}
    return {
        kind: rule | given.get(kind, {}) if isinstance(rule, dict) else given.get(kind, rule)
        for kind, rule in DEFAULTS.items()
    }


def row(kind: str, name: str, when: float, size: int | None = None, kept: str = "", **more: object) -> dict:
    """Something that may be deleted. when: seconds since 1970 of its last change; size: bytes freed, None if unknown; kept: why
    it is kept, whatever its age."""
    return {"kind": kind, "name": name, "when": when, "bytes": size, "kept": kept, **more}


def choose(rows: Iterable[dict], keep_days: float, keep_last: float = 0, now: float | None = None) -> list[dict]:
    """The rows, newest first, with a reason for each that the policy keeps."""
    now = time.time() if now is None else now
    found = sorted(rows, key=lambda each: -each["when"])
    for number, each in enumerate(found):
        days = (now - each["when"]) / DAY
        if each["kept"]:
            continue
        if number < keep_last:
            each["kept"] = f"among the {keep_last:g} newest"
        elif days < keep_days:
            each["kept"] = f"{max(days, 0):.0f} days old, kept for {keep_days:g}"
    return found
