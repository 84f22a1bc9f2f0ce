"""Send an alert once, and at most one of a kind per interval. Sent alerts are recorded in `.cache/alerts.json`."""

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipelines.core.files import read_json, write_json
from pipelines.ops.alerts import senders
from pipelines.ops.alerts.message import Alert, one_line
from pipelines.ops.alerts.settings import AlertsError, load
from pipelines.ops.runs import log

MEMORY = ".cache/alerts.json"
MAX_IDS = 500
MAX_KEYS = 500


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


def alert(project: Path, kind: str, about: str, reason: str, id: str, detail: str = "", say: Callable = _warn) -> bool:
    """Send an alert to all recipients; returns whether one of them got it. Raises nothing, and takes bounded time.

    One alert is sent per event (`id`), by whichever process is first, and one per `kind` and `about` in `every_s` seconds; the
    next says how many were suppressed. If all recipients fail, the event is forgotten, and the next of its kind is sent."""
    try:
        settings = load(project)
        if not settings:
            return False
        event = Alert(kind, one_line(about), reason, id, project.absolute().name, detail)
        return _send(project, settings, event, say)
    except AlertsError as error:
        say(f"No alert was sent: {error}")
    except Exception as error:  # of any kind: a run must not fail because of an alert
        say(f"No alert was sent: {type(error).__name__}: {error}")
    return False


def refusal(model: str, event: dict) -> dict[str, str]:
    """Arguments of `alert` for a refused promotion, an event of the registry's history."""
    what = f"version {event['version']} is refused, {event['reason']}"
    return {
        "kind": "refused",
        "about": model,
        "reason": what,
        "id": f"refused {model} {event['version']} {event['time']}",
    }


def _send(project: Path, settings, event: Alert, say: Callable) -> bool:
    with _memory(project) as memory:
        known = memory["kinds"].get(event.key, {"sent": 0.0, "since": 0})
        sender = memory["sending"].get(event.id)
        cut_off = sender is not None and not log.alive(sender["pid"], sender["began"])
        if event.id in memory["ids"] and not cut_off:
            return False
        now = time.time()
        # a clock that was set back must not suppress alerts
        if 0 <= now - known["sent"] < settings.every_s and not cut_off:
            _remember(memory, event, {**known, "since": known["since"] + 1})
            return False
        # recorded before it is sent: two processes must not send one event, nor wait for each other's servers
        _remember(memory, event, {"sent": now, "since": 0})
        # recorded as being sent: if the sender is killed, the next process that knows the event sends it
        sending = {**memory["sending"], event.id: {"pid": os.getpid(), "began": log.now()}}
        memory["sending"] = dict([*sending.items()][-MAX_KEYS:])
    outcome = senders.deliver(settings, replace(event, repeated=known["since"]))
    for way, why in outcome.items():
        if why:
            say(f"The alert could not be sent by {way}: {why}")
    sent = any(not why for why in outcome.values())
    with _memory(project) as memory:
        memory["sending"].pop(event.id, None)
        if not sent:
            memory["kinds"][event.key] = known
            memory["ids"] = [id for id in memory["ids"] if id != event.id]
    return sent


def _remember(memory: dict, event: Alert, entry: dict) -> None:
    memory["ids"] = [*(id for id in memory["ids"] if id != event.id), event.id][-MAX_IDS:]
    memory["kinds"].pop(event.key, None)
    memory["kinds"] = dict([*memory["kinds"].items(), (event.key, entry)][-MAX_KEYS:])


@contextmanager
def _memory(project: Path) -> Iterator[dict]:
    """The record of alerts, for editing by one process at a time. If it cannot be read, a new one is started."""
    path = project / MEMORY
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        memory = {"ids": [], "kinds": {}, "sending": {}}
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            found = read_json(path)
            kinds = {
                key: {"sent": float(value["sent"]), "since": int(value["since"])}
                for key, value in found["kinds"].items()
            }
            sending = {
                id: {"pid": int(value["pid"]), "began": str(value["began"])}
                for id, value in found.get("sending", {}).items()
            }
            memory = {"ids": list(map(str, found["ids"])), "kinds": kinds, "sending": sending}
        yield memory
        write_json(path, memory)
