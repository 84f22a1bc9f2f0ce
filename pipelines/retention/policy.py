"""`retention` of params.yaml: what is older than `keep_days` goes, but for the `keep_last` newest."""

import time
from collections.abc import Iterable
from pathlib import Path

from pipelines import params
from pipelines.registry.errors import RegistryError

DEFAULTS = {
    "experiments": {"keep_days": 90, "keep_last": 10},
    "retrainings": {"keep_days": 14, "keep_last": 0},
    "cache": {"keep_days": 14},
    "runs": {"keep_days": 90, "keep_last": 50},
    "automatic": False,
}
DAY = 86_400.0


def read(project: Path) -> dict:
    """The policy; what params.yaml leaves out is as in DEFAULTS. `RegistryError` for what cannot be one."""
    given = params.load(project / params.PARAMS).get("retention") or {}
    if not isinstance(given, dict):
        raise RegistryError(f"retention in params.yaml is {given!r}, and must be a table")
    if unknown := sorted(map(str, set(given) - set(DEFAULTS))):
        raise RegistryError(f"retention in params.yaml has {', '.join(unknown)}; it may have {', '.join(DEFAULTS)}")
    found = {}
    for kind, rule in DEFAULTS.items():
        value = given.get(kind, rule)
        if isinstance(rule, bool):
            found[kind] = value is True
            continue
        if not isinstance(value, dict) or set(value) - set(rule):
            raise RegistryError(f"retention.{kind} in params.yaml is {value!r}; write it as {rule}")
        found[kind] = rule | value
        for name, number in found[kind].items():
            if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e6:
                raise RegistryError(
                    f"retention.{kind}.{name} in params.yaml is {number!r}, and must be a number, 0 or more"
                )
    return found


def row(kind: str, name: str, when: float, size: int | None = None, kept: str = "", **more: object) -> dict:
    """Something that may go. `when`: seconds since 1970 of its last change; `size`: bytes freed, None where that is not known;
    `kept`: why it stays, whatever its age."""
    return {"kind": kind, "name": name, "when": when, "bytes": size, "kept": kept, **more}


def choose(rows: Iterable[dict], keep_days: float, keep_last: float = 0, now: float | None = None) -> list[dict]:
    """The rows, the newest first, with a reason given to each that the policy keeps."""
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
