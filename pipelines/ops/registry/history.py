"""Events of each version, in order, in `registry/<name>/history.jsonl`. The stage of a version is derived from them alone.

A version's files are written first, and then the event, by one rename: a kill in between leaves an unregistered version, and
never half a promotion."""

import datetime
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.core.files import atomic
from pipelines.ops.registrations import FOLDER, HISTORY, PROMOTING, stages
from pipelines.ops.registry import git
from pipelines.ops.registry.errors import RegistryError

LOCK = ".cache/registry.lock"
WORDS = ("time", "event", "reason")


@contextmanager
def alone(project: Path) -> Iterator[None]:
    """A lock for changes of the registry, so that the champion does not change while a gate decides."""
    path = project / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def names(project: Path) -> list[str]:
    """The models that have a history."""
    return sorted(path.parent.name for path in (project / FOLDER).glob(f"*/{HISTORY}"))


def read(project: Path, name: str) -> list[dict]:
    """A model's events, oldest first, each with time, event, version and reason; empty if it was never registered.
    `RegistryError` if a line is no event."""
    path = project / FOLDER / name / HISTORY
    if not path.exists():
        return []
    try:
        events, content = [], path.read_bytes()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n") if content else [], 1):
        try:
            event = json.loads(line.decode())
            if type(event["version"]) is not int or not all(isinstance(event[key], str) for key in WORDS):
                raise TypeError(f"a version is a number, and {', '.join(WORDS)} are words")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise RegistryError(
                f"{path}, line {number}, is no event (an unfinished merge?), {why}: repair it, or restore it from git: "
                f"git checkout HEAD -- {FOLDER}/{name}/history.jsonl"
            ) from error
        events.append(event)
    return events


def append(project: Path, name: str, event: str, version: int, reason: str, **figures: object) -> dict:
    """Add an event to a model's history; the file is replaced in one rename. Call it inside `alone`."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    entry = {"time": now, "event": event, "version": version, "reason": reason, **figures}
    lines = [*read(project, name), entry]
    with atomic(project / FOLDER / name / HISTORY) as temporary:
        text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
        temporary.write_text(text, encoding="utf-8")
    return entry


def champion(events: list[dict]) -> int | None:
    return next((version for version, stage in stages(events).items() if stage == "champion"), None)


def champions(events: list[dict]) -> list[int]:
    """Every version that was or is champion, in order."""
    return [event["version"] for event in events if event["event"] in PROMOTING]


def before(events: list[dict]) -> int | None:
    """The version to roll back to: the champion before the present one; None if there is none.

    Champions form a list. A promotion appends a version; a rollback to a version restores the list as it was when that version
    was last its end. So rolling back a promotion undoes it, and repeated rollbacks end at the first champion."""
    line: list[int] = []
    then: dict[int, list[int]] = {}  # version -> the list when it was last champion
    for event in events:
        version = event["version"]
        if event["event"] not in PROMOTING:
            continue
        if event["event"] == "rolled_back" and version in line:
            line = line[: len(line) - line[::-1].index(version)]
        elif event["event"] == "rolled_back" and version in then:
            line = then[version]
        elif line[-1:] != [version]:
            line = [*line, version]
        then[version] = line
    return line[-2] if len(line) > 1 else None


def unsaved(project: Path) -> bool:
    """Has the registry uncommitted changes?"""
    return bool(git.run(project, "status", "--porcelain", "--", FOLDER).stdout)
