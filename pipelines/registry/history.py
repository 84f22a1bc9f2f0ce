"""What became of each version: events, in order, in `registry/<name>/history.jsonl`. Stages are read off it alone.

A version's files are written first and the event after them, in one rename: whoever is killed in between leaves a version that
nobody has heard of, and never half a promotion.
"""

import datetime
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.registry import git
from pipelines.registry.errors import RegistryError
from pipelines.store.files import atomic

FOLDER = "registry"
LOCK = ".cache/registry.lock"
PROMOTING = ("promoted", "rolled_back")


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
    return sorted(path.parent.name for path in (project / FOLDER).glob("*/history.jsonl"))


def read(project: Path, name: str) -> list[dict]:
    """A model's events, the oldest first; none for a model that was never registered. `RegistryError` if a line is no event."""
    path = project / FOLDER / name / "history.jsonl"
    if not path.exists():
        return []
    events, content = [], path.read_bytes()
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n") if content else [], 1):
        try:
            event = json.loads(line.decode())
            if type(event["version"]) is not int or not isinstance(event["event"], str):
                raise TypeError(f"a version is a number, and an event a word: {line.decode():.80}")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RegistryError(
                f"{path}, line {number}, is no event (a merge left unfinished?): mend it, or take it from git: "
                f"git checkout HEAD -- {FOLDER}/{name}/history.jsonl"
            ) from error
        events.append(event)
    return events


def append(project: Path, name: str, event: str, version: int, reason: str, **figures: object) -> dict:
    """Add an event to a model's history; the file is replaced in one rename. Call it inside `alone`."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    entry = {"time": now, "event": event, "version": version, "reason": reason, **figures}
    lines = [*read(project, name), entry]
    with atomic(project / FOLDER / name / "history.jsonl") as temporary:
        text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
        temporary.write_text(text, encoding="utf-8")
    return entry


def stages(events: list[dict]) -> dict[int, str]:
    """Version -> champion, challenger or retired: a version waits as a challenger until the gate has decided; who was refused
    or replaced is retired."""
    found: dict[int, str] = {}
    for event in events:
        if event["event"] in PROMOTING:
            found = {version: "retired" if stage == "champion" else stage for version, stage in found.items()}
            found[event["version"]] = "champion"
        else:
            found[event["version"]] = "challenger" if event["event"] == "registered" else "retired"
    return found


def champion(events: list[dict]) -> int | None:
    return next((version for version, stage in stages(events).items() if stage == "champion"), None)


def champions(events: list[dict]) -> list[int]:
    """Every version that was or is champion, in the order of their reigns."""
    return [event["version"] for event in events if event["event"] in PROMOTING]


def before(events: list[dict]) -> int | None:
    """The version to roll back to: that which was champion before this one came, rollbacks taken back; None if there is none."""
    reigns: list[int] = []
    for event in events:
        if event["event"] == "promoted":
            reigns.append(event["version"])
        elif event["event"] == "rolled_back" and event["version"] in reigns:
            while reigns[-1] != event["version"]:
                reigns.pop()
    return reigns[-2] if len(reigns) > 1 else None


def save(project: Path, message: str, say=print) -> None:
    """Commit the registry, and only it. Where git cannot now, the files stay changed and the user is told."""
    if why := git.commit_only(project, FOLDER, message):
        say(f"{FOLDER}/ is written but not committed ({why}): git add {FOLDER} && git commit")
