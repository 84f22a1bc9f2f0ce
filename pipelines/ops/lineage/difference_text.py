"""Print a difference between two results."""

import json
from collections.abc import Iterator
from typing import Any

from pipelines.ops.lineage.difference import UNRECORDED

MAX_LISTED = 12  # clips, figures, files, packages; --json has all
MAX_PARAMETERS = 40


def lines(found: dict) -> Iterator[str]:
    """The lines of a difference (`difference.difference`)."""
    yield f"From {_named(found['before'])} to {_named(found['after'])}:"
    if not found["stages"] and found["files"]:
        yield "dvc.lock is the same: no stage has run with the differences, and every output is unchanged."
        yield f"Files that differ: {_listed(found['files'], MAX_LISTED)}"
        yield from (f"Environment: {line}" for line in _packages(found))
        yield "conservatory status lists the stale stages."
        return
    if not found["stages"] and not found["environment"]:
        yield "Nothing changed: every stage has the same data, parameters, code and outputs."
        return
    yield from _given(found)
    yield ""
    yield from _stages(found["stages"])
    yield ""
    if not found["figures"]:
        yield "Figures: all are the same."
    for path, part in found["figures"].items():
        yield from _figures(path, part)


def _given(found: dict) -> Iterator[str]:
    """Differences of the inputs of stages."""
    for dataset, part in found["music"].items():
        said = [f"{len(part[kind])} clips {kind} ({_listed(part[kind], 3)})" for kind in ("added", "removed", "changed")
                if part.get(kind)]  # fmt: skip
        yield f"Music of {dataset}: {part.get('unknown') or ', '.join(said) or 'the same clips, at other paths'}"
    stages = found["stages"].values()
    parameters = {key: pair for stage in stages for key, pair in stage["causes"].get("parameters", {}).items()}
    for key, (old, new) in list(parameters.items())[:MAX_PARAMETERS]:
        yield f"Parameter {key}: {_value(old)} -> {_value(new)}"
    if len(parameters) > MAX_PARAMETERS:
        yield f"and {len(parameters) - MAX_PARAMETERS} more parameters; --json lists them"
    code = sorted({path for stage in stages for path in stage["causes"].get("code", [])})
    if code:
        yield f"Code: {len(code)} files that stages run: {_listed(code, MAX_LISTED)}"
        for line in found["commits"][:MAX_LISTED]:
            yield f"  {line}"
        if len(found["commits"]) > MAX_LISTED:
            yield f"  and {len(found['commits']) - MAX_LISTED} commits before"
    yield from (f"Environment: {line}" for line in _packages(found))


def _packages(found: dict) -> list[str]:
    packages = [f"{name} {old or 'none'} -> {new or 'none'}" for name, (old, new) in found["environment"].items()]
    return [_listed(packages, MAX_LISTED)] if packages else []


def _stages(stages: dict) -> Iterator[str]:
    moved = {name: stage for name, stage in stages.items() if stage["outputs"]}
    idle = [name for name, stage in stages.items() if not stage["outputs"]]
    for name, stage in moved.items():
        if stage["state"] != "run again":
            yield f"Stage {name} is {stage['state']}"
            continue
        if any(cause.startswith(UNRECORDED) for cause in stage["own"]):
            yield f"Stage {name} has other output without a recorded cause: another machine, or it is not repeatable"
            continue
        reasons = [_grouped(stage["own"])] if stage["own"] else []
        reasons += [f"other output of {_listed(stage['through'], 4)}"] if stage["through"] else []
        yield f"Stage {name} has other output because of {' and '.join(reasons) or 'its inputs'}"
    if idle:
        yield f"{len(idle)} stages have other inputs and the same output: {_listed(idle, MAX_LISTED)}"


def _figures(path: str, part: dict) -> Iterator[str]:
    if "unknown" in part:
        yield f"Figures of {path}: {part['unknown']}"
        return
    moved = [row for row in part["numbers"] if row["before"] is not None and row["after"] is not None]
    new = sum(row["before"] is None for row in part["numbers"])
    gone = sum(row["after"] is None for row in part["numbers"])
    words = {"moved": len(moved), "new": new, "gone": gone, "the same": part["same"]}
    counts = [f"{count} {word}" for word, count in words.items() if count]
    yield f"Figures of {path}: {', '.join(counts)}"
    known = [cause for cause in part["because"] if not cause.startswith(UNRECORDED)]
    if known:
        yield f"  because of {_grouped(known)}"
    yield from (f"  {cause}" for cause in part["because"] if cause.startswith(UNRECORDED))
    for row in moved[:MAX_LISTED]:
        yield f"  {row['key']}: {row['before']:.6g} -> {row['after']:.6g}"
    if len(moved) > MAX_LISTED:
        yield f"  and {len(moved) - MAX_LISTED} with smaller changes; --json lists them"


def _grouped(causes: list[str]) -> str:
    """Causes by kind: "parameters a, b; code c"."""
    kinds: dict[str, list[str]] = {}
    for cause in causes:
        kind, _, name = cause.partition(" ")
        kinds.setdefault(kind if kind in ("parameter", "code", "stage") else cause, []).append(name)
    parts = []
    for kind, names in kinds.items():
        plural = "s" * (len(names) > 1 and kind != "code")
        parts.append(f"{kind}{plural} {_listed(names, 5)}" if kind in ("parameter", "code", "stage") else kind)
    return "; ".join(parts)


def _listed(names: list[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _named(revision: dict) -> str:
    return f"{revision['name']} ({(revision['commit'] or 'no commit')[:10]})"


def _value(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)[:120]
