"""Events of each version, in order, in `registry/<name>/history.jsonl`. The stage of a version is derived from them alone.

A version's files are written first and the event after them, in one rename: whoever is killed in between leaves a version that
nobody has heard of, and never half a promotion.
"""

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
    """One change of the registry at a time: a gate decides against the champion that there is when it has decided."""
    path = project / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def names(project: Path) -> list[str]:
    """The models that have a history."""
    return sorted(path.parent.name for path in (project / FOLDER).glob(f"*/{HISTORY}"))


def read(project: Path, name: str) -> list[dict]:
    """A model's events, the oldest first, each with time, event, version and reason; none for a model that was never registered.
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
                f"{path}, line {number}, is no event (a merge left unfinished?), {why}: mend it, or take it from git: "
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
    """Every version that was or is champion, in the order of their reigns."""
    return [event["version"] for event in events if event["event"] in PROMOTING]


def before(events: list[dict]) -> int | None:
    """The version to roll back to: that which was champion directly before the present one's reign began; None if there is none.

    A promotion puts a version at the end of the line of champions. A rollback takes the line back to the last reign of the
    version it names; if that was taken back itself, to the line as it was in its last reign. So a promotion that is rolled back
    changes nothing, and who goes back again and again comes to the first champion.
    """
    line: list[int] = []
    then: dict[int, list[int]] = {}  # version -> the line in its last reign
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
    """Is there anything in the registry that is not committed?"""
    return bool(git.run(project, "status", "--porcelain", "--", FOLDER).stdout)
