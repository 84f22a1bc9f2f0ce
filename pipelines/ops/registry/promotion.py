"""Change the champion: by the gate, by hand with a reason, or by rollback; and drop versions. Every change is recorded in the
history."""

from pathlib import Path

from pipelines.ops.registrations import DROPPED
from pipelines.ops.registry import cache_references, gate, history, objects, regression_guard, versions
from pipelines.ops.registry.errors import RegistryError


def promote(
    project: Path, name: str, version: int, options: dict, reason: str | None = None, gated: bool = True
) -> dict:
    """Make a challenger champion if it passes the gate, and retire it if not; returns the event, "promoted" or "refused".

    The first version of a model becomes champion without a comparison. If not `gated`, the gate is not applied and `reason` is
    required. options: `registry` of params.yaml. Call it inside `history.alone`. `RegistryError` if there is nothing to decide
    (the version is champion already, or was retired) or its files are missing, and `Incomparable` if the two cannot be compared;
    the history is unchanged then."""
    if reason is not None:
        _said(reason)
    if gated and reason is not None:
        raise RegistryError("the gate writes the reason: omit --reason, or decide yourself with --no-gate")
    record = versions.load(project, name, version)
    events = history.read(project, name)
    champion, stage = history.champion(events), history.stages(events)[version]
    if stage == "champion":
        raise RegistryError(f"version {version} of {name} is the champion already")
    if stage == DROPPED:
        raise RegistryError(
            f"version {version} of {name} was dropped: {_last(events, version)['reason']}. Train it again"
        )
    if not gated:
        if reason is None:
            raise RegistryError(
                "without the gate, a reason is required, for instance --reason 'a new test set was drawn'"
            )
        _at_hand(project, name, record)
        return history.append(project, name, "promoted", version, f"without the gate: {reason}", replaces=champion)
    if stage == "retired":
        raise RegistryError(
            f"version {version} of {name} is retired: {_last(events, version)['reason']}. To go back to a former champion: "
            f"conservatory models rollback {name} --to {version} --reason '...'"
        )
    _at_hand(project, name, record)
    if champion is None:
        return history.append(
            project, name, "promoted", version, "the first version: there is no champion to compare it with"
        )
    comparison = gate.compare(project, versions.load(project, name, champion), record, options)
    passed, why = regression_guard.decide(comparison, events)
    also = {"replaces": champion} if passed else {"champion": champion}
    return history.append(
        project, name, "promoted" if passed else "refused", version, why, **also, comparison=comparison
    )


def rollback(project: Path, name: str, reason: str, to: int | None = None) -> dict:
    """Make a former champion the champion again, the previous one unless `to` names another. Returns the event. Call it inside
    `history.alone`. `RegistryError` if there is none, `to` never was one, or its files are missing."""
    _said(reason)
    events = history.read(project, name)
    champion = history.champion(events)
    if champion is None:
        versions.load(project, name, 0)  # its error lists the models
    target = history.before(events) if to is None else to
    if target is None:
        others = ", ".join(map(str, sorted({*history.champions(events)} - {champion})))
        taken_back = f" (champions that were rolled back: {others}; name one with --to)" if others else ""
        raise RegistryError(
            f"{name} had no champion before version {champion}{taken_back}: there is nothing to roll back to"
        )
    if target == champion:
        raise RegistryError(f"version {target} of {name} is the champion already")
    if target not in history.champions(events):
        were = ", ".join(map(str, sorted({*history.champions(events)} - {champion}))) or "none"
        raise RegistryError(f"version {target} of {name} was never champion; former champions: {were}")
    _at_hand(project, name, versions.load(project, name, target))
    return history.append(project, name, "rolled_back", target, reason, replaces=champion)


def drop(project: Path, name: str, version: int, reason: str) -> dict:
    """Release a refused version's files for the next prune; its record stays in the registry. Returns the event. Call it inside
    `history.alone`. `RegistryError` for a version that is or was champion, waits for its decision, or was dropped already."""
    _said(reason)
    versions.load(project, name, version)  # raises if there is no such version
    events = history.read(project, name)
    stage = history.stages(events)[version]
    if version in history.champions(events):
        raise RegistryError(
            f"version {version} of {name} {'is' if stage == 'champion' else 'was'} champion: its files are kept"
        )
    if stage == "challenger":
        raise RegistryError(
            f"version {version} of {name} waits for its decision: conservatory models promote {name} {version}"
        )
    if stage == DROPPED:
        raise RegistryError(f"version {version} of {name} was dropped already: {_last(events, version)['reason']}")
    return history.append(project, name, DROPPED, version, reason)


def _said(reason: str) -> None:
    if not reason.strip():
        raise RegistryError("the reason is blank; it is recorded, so give one, for instance --reason 'it hums'")


def _at_hand(project: Path, name: str, record: dict) -> None:
    """Raise `RegistryError` unless every file of a version's model is here, or can be fetched, with its registered hash."""
    out, gone = versions.model_path(record), cache_references.purged(project)
    folder = record["hashes"][out]
    files = {} if folder in gone else objects.listing(project, folder, out)
    if folder in gone or any(md5 in gone for md5 in files.values()):
        raise RegistryError(f"version {record['version']} of {name} was purged because it contains a withdrawn clip")
    for path, md5 in files.items():
        objects.find(project, md5, f"{out}/{path}")


def _last(events: list[dict], version: int) -> dict:
    return [event for event in events if event["version"] == version][-1]
