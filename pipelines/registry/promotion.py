"""Who becomes champion: by the gate, by a person who says why, or by going back. Either way it is written into the history."""

from pathlib import Path

from pipelines.registry import gate, history, versions
from pipelines.registry.errors import RegistryError


def promote(project: Path, name: str, version: int, options: dict, reason: str = "", gated: bool = True) -> dict:
    """Make a challenger champion if it passes the gate, and retire it if not; returns the event, "promoted" or "refused".

    The first version of a model has no champion to be compared with and becomes it. Not gated, `reason` is needed and the gate
    is not asked. options: `registry` of params.yaml. Call it inside `history.alone`. `RegistryError` where there is nothing to
    decide (it is champion already, or was retired) or where the two cannot be compared; the history is then as it was.
    """
    record = versions.load(project, name, version)
    events = history.read(project, name)
    champion, stage = history.champion(events), history.stages(events)[version]
    if stage == "champion":
        raise RegistryError(f"version {version} of {name} is the champion already")
    if not gated:
        if not reason:
            raise RegistryError("without the gate, a reason is needed: --reason 'the test set was drawn anew'")
        return history.append(project, name, "promoted", version, f"without the gate: {reason}", replaces=champion)
    if stage == "retired":
        raise RegistryError(
            f"version {version} of {name} is retired: {_last(events, version)['reason']}. To go back to a former champion: "
            f"conservatory models rollback {name} --to {version} --reason '...'"
        )
    if champion is None:
        return history.append(
            project, name, "promoted", version, "the first version: there is nothing to compare it with"
        )
    comparison = gate.compare(project, versions.load(project, name, champion), record, options)
    passed, why = gate.decide(comparison)
    also = {"replaces": champion} if passed else {"champion": champion}
    return history.append(
        project, name, "promoted" if passed else "refused", version, why, **also, comparison=comparison
    )


def rollback(project: Path, name: str, reason: str, to: int | None = None) -> dict:
    """Make a former champion champion again, the one before this unless `to` names another. Returns the event. Call it inside
    `history.alone`. `RegistryError` where there is none, or `to` never was one."""
    events = history.read(project, name)
    champion = history.champion(events)
    if champion is None:
        versions.load(project, name, 0)  # says which models there are
    target = history.before(events) if to is None else to
    if target is None:
        raise RegistryError(f"{name} has had one champion only, version {champion}: there is nothing to go back to")
    if target == champion:
        raise RegistryError(f"version {target} of {name} is the champion already")
    if target not in history.champions(events):
        were = ", ".join(map(str, sorted({*history.champions(events)} - {champion}))) or "none"
        raise RegistryError(f"version {target} of {name} never was champion; former champions: {were}")
    versions.load(project, name, target)  # its record must be there
    return history.append(project, name, "rolled_back", target, reason, replaces=champion)


def _last(events: list[dict], version: int) -> dict:
    return [event for event in events if event["version"] == version][-1]
