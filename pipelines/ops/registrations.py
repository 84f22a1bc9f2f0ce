"""Read registered models from git: `registry/<name>/N.json` of each version, and `history.jsonl`. Unreadable files are skipped
here; `ops.registry`, which writes them, reports them."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

FOLDER = "registry"
HISTORY = "history.jsonl"
DROPPED = "dropped"  # the event, and the stage
PROMOTING = ("promoted", "rolled_back")
DAMAGED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)  # what reading a damaged file may raise


def records(project: Path = Path()) -> Iterator[tuple[str, dict]]:
    """(model, content of a version's file) of each version, by model and file name."""
    for path in sorted((project / FOLDER).glob("*/[0-9]*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except DAMAGED:
            continue
        if isinstance(found, dict):
            yield path.parent.name, found


def events(name: str, project: Path = Path()) -> Iterator[dict]:
    """A model's events with a version, oldest first."""
    path = project / FOLDER / name / HISTORY
    with contextlib.suppress(OSError):
        yield from parsed(path.read_bytes())


def parsed(content: bytes) -> Iterator[dict]:
    """The events with a version in a history's content."""
    for line in content.split(b"\n"):
        try:
            event = json.loads(line)
        except DAMAGED:
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str) and type(event.get("version")) is int:
            yield event


def stages(events: Iterable[Mapping]) -> dict[int, str]:
    """Version -> champion, challenger, retired or dropped. A challenger waits for the gate; a refused or replaced version is
    retired, and dropped when its files are released."""
    found: dict[int, str] = {}
    for event in events:
        if event["event"] in PROMOTING:
            found = {version: "retired" if stage == "champion" else stage for version, stage in found.items()}
            found[event["version"]] = "champion"
        else:
            found[event["version"]] = {"registered": "challenger", DROPPED: DROPPED}.get(event["event"], "retired")
    return found
