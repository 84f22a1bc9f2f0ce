"""A figure in a JSON file by its key path, and the file it was copied from."""

import json
from collections.abc import Iterator
from typing import Any

from pipelines.core import paths
from pipelines.ops.lineage.revision import LineageError, Revision


def lookup(value: Any, key: str) -> tuple[list[str], Any, Any]:
    """(keys, value, the object that contains it) of a dotted key path; a key may contain dots, list indices begin at 0. Raises
    `LineageError` with the known keys."""
    parts, keys, around = key.split("."), [], None
    while parts:
        step = next((n for n in range(len(parts), 0, -1) if _has(value, ".".join(parts[:n]))), None)
        if step is None:
            there = ", ".join(map(str, value)) if isinstance(value, dict) else f"a {type(value).__name__}"
            place = f"under {'.'.join(keys)}" if keys else "at the top"
            raise LineageError(f"There is no key {parts[0]!r} {place}; found: {there[:600]}.")
        name, parts, around = ".".join(parts[:step]), parts[step:], value
        value = value[int(name)] if isinstance(value, list) else value[name]
        keys.append(name)
    return keys, value, around


def _has(value: Any, name: str) -> bool:
    if isinstance(value, list):
        return name.isdecimal() and int(name) < len(value)
    return isinstance(value, dict) and name in value


def beside(keys: list[str], around: Any) -> dict:
    """The values beside a figure that belong to it: its interval, number of clips, chance level."""
    names = ("ci95", f"{keys[-1]}_ci95", "n", "chance", "baseline")
    return {name: around[name] for name in names if isinstance(around, dict) and name in around and name != keys[-1]}


def origin(revision: Revision, stage: str, keys: list[str], value: Any) -> tuple[str, str] | None:
    """(file, key path) from which the stage copied a figure: the only input file with the same value under the same keys.
    `scores.style...` in reports/clustering.json is `style...` in data/clusters/scores/scores.json: the keys left out must name
    the file. None if there is no such file, or several."""
    found = []
    for path in _json_inputs(revision, stage):
        for dropped in range(min(3, len(keys))):
            if dropped and keys[dropped - 1] not in path.removesuffix(".json").split("/"):
                continue
            try:
                content = json.loads(revision.data(path) or b"null")
                _, there, _ = lookup(content, ".".join(keys[dropped:]))
            except (LineageError, ValueError):
                continue
            if there == value or (isinstance(there, float) and round(there, 4) == value):
                found.append((path, ".".join(keys[dropped:])))
    return found[0] if len(found) == 1 else None


def _json_inputs(revision: Revision, stage: str) -> Iterator[str]:
    for dep in revision.graph.inputs(stage):
        for out in revision.graph.outputs(dep["path"]):
            yield from (path for path in revision.files(out) if path.endswith(".json") and paths.RECORDS not in path)


def numbers(value: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """(key path, number) of every number in a JSON value; lists (intervals, matrices, curves) are skipped."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, value
