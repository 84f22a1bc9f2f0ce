"""What was run outside Dagster, by `dvc repro` or `conservatory run`, told to Dagster afterwards.

dvc.lock is the record; Dagster's database is an index of it that may be lost, and is made good here.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import dagster as dg

from assets import checks, events, lock, metadata, partitions, ran
from assets.recipe import Stage, StageGroup
from pipelines import recipe

MANY = 100  # events that take a while


def here(project: Path, stage: Stage, entries: Mapping[str, Mapping]) -> bool:
    """Are the outputs that dvc.lock speaks of in the project's folder? In a clone, or where git changed dvc.lock, they are not
    before a run or `dvc pull`: Dagster would be told of results without their figures, and once only."""
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
    """Tell Dagster of those of the stages `names` that are here and whose entry among `entries`, those of dvc.lock, is news.
    Returns which.

    In the order of the recipe, so that each event can name the ones it follows from.
    """
    reported, runs = [], None
    for group in groups.values():
        named = [stage for stage in group.stages if stage.name in names and here(project, stage, entries)]
        known = events.told(instance, group) if named else {}
        new = [
            stage for stage in named if known.get(partitions.key(group, stage)) != recipe.digest(entries[stage.name])
        ]
        if not new:
            continue
        runs = runs or ran.runs(project)
        latest = events.pointers(instance, group)
        if len(new) >= MANY:
            say(f"telling Dagster of {len(new)} stages of {group.name} that were run without it")
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
