"""Report runs outside Dagster (`dvc repro`, `conservatory run`) to Dagster's history.

dvc.lock is the record. Dagster's database is an index of it, which may be lost; reporting rebuilds it.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import dagster as dg

from assets import checks, events, lock, metadata, partitions, ran
from assets.recipe import Stage, StageGroup
from pipelines import recipe

MANY = 100  # events; reporting more takes seconds, and is announced


def here(project: Path, stage: Stage, entries: Mapping[str, Mapping]) -> bool:
    """Are the outputs of a stage's entry in dvc.lock present? In a clone, or after git changed dvc.lock, they are missing until a
    run or `dvc pull`; reported before that, an event would lack its figures, and each event is reported once only."""
    if not lock.holds(entries, stage.name, stage.outs) or not all((project / out).exists() for out in stage.outs):
        return False
    return stage.record is None or metadata.record(project, stage, entries[stage.name]) is not None


def report(
    instance: dg.DagsterInstance,
    project: Path,
    groups: Mapping[str, StageGroup],
    entries: Mapping[str, Mapping],
    names: Collection[str],
    say: Callable[[str], None] = print,
) -> list[str]:
    """Report the stages among `names` whose outputs are present and whose entry in dvc.lock (`entries`) Dagster does not have
    yet. Returns the stages reported.

    In the order of the recipe, so that each event can name the events of its inputs.
    """
    reported, runs = [], None
    for group in groups.values():
        named = [stage for stage in group.stages if stage.name in names and here(project, stage, entries)]
        known = events.reported(instance, group) if named else {}
        new = [
            stage for stage in named if known.get(partitions.key(group, stage)) != recipe.digest(entries[stage.name])
        ]
        if not new:
            continue
        runs = runs or ran.runs(project)
        latest = events.pointers(instance, group)
        if len(new) >= MANY:
            say(f"reporting {len(new)} stages of {group.name} that ran outside Dagster")
        for stage in new:
            found = ran.of(project, stage, entries[stage.name], runs)
            status = f"run outside Dagster: {found.sentence}"
            event = events.materialization(
                project, groups, stage, entries, latest, status, found.seconds, found.measured, found.times
            )
            instance.report_runless_asset_event(event)
        for evaluation in checks.evaluations(project, group):
            instance.report_runless_asset_event(evaluation)
        reported += [stage.name for stage in new]
    return reported
