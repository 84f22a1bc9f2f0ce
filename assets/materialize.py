"""A stage group as an asset: its spec from dvc.yaml, and how its partitions are materialized.

One `dvc repro` runs all partitions of a run, without their inputs (Dagster orders the assets). Stages that are up to date are
skipped.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg

from assets import automation, events, external_runs, folders, lock, partitions, pools, ran, recipe, repro
from assets.patches import observation
from assets.recipe import Stage, StageGroup


def spec(groups: Mapping[str, StageGroup], group: StageGroup, on: bool = False) -> dg.AssetSpec:
    """The asset of a stage group, from dvc.yaml. `on`: params.yaml turned automation on."""
    meta = group.meta
    return dg.AssetSpec(
        group.name,
        deps=[dg.AssetDep(name, partition_mapping=partitions.mapping(group, groups[name])) for name in group.upstream],
        description=group.description,
        group_name=meta.get("group"),
        kinds=set(meta.get("kinds", ())),
        owners=[meta["owner"]] if "owner" in meta else [],
        partitions_def=partitions.definition(group),
        automation_condition=automation.condition(group),
        freshness_policy=None if group.upstream else automation.freshness(automation.NIGHTLY_DAYS, on),
    )


def definition(
    project: Path, groups: Mapping[str, StageGroup], group: StageGroup, on: bool = False
) -> dg.AssetsDefinition:
    """The asset of a stage group as one step."""

    @dg.multi_asset(
        name=group.name,
        specs=[spec(groups, group, on)],
        backfill_policy=dg.BackfillPolicy.single_run() if group.dimensions else None,
        pool=pools.of(group.meta),
        description=group.description,
    )
    def materialize(context: dg.AssetExecutionContext):
        yield from run(context, project, groups, asked(context, group))
        yield dg.MaterializeResult(metadata=observation.logged())

    return materialize


def asked(context: dg.AssetExecutionContext, group: StageGroup) -> list[Stage]:
    """The stages of the partitions of a run. Raises `dagster.Failure` if it names no partition, or an unknown one."""
    if not group.dimensions:
        return list(group.stages)
    try:
        wanted = set(context.partition_keys)
    except dg.DagsterUnknownPartitionError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except dg.DagsterInvariantViolationError:
        raise dg.Failure(f"{group.name} has partitions, and this run names none", allow_retries=False) from None
    return [stage for stage in group.stages if partitions.key(group, stage) in wanted]


def run(
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
    project: Path,
    groups: Mapping[str, StageGroup],
    stages: list[Stage],
    upstream: bool = False,
) -> Iterator[dg.AssetMaterialization]:
    """Run stages of one group, with `upstream` also the stages they need, and yield an event for each when it has finished.

    Raises `dagster.Failure` with the end of the output if one fails; stages that finished before keep their events.
    """
    instance, say = context.instance, context.log.info
    known = {stage.name: stage for group in groups.values() for stage in group.stages}
    wanted = {stage.name for stage in stages}
    before = recipe.ancestors(groups, {stage.group for stage in stages})
    needed = {stage.name for name in before for stage in groups[name].stages}
    first = {value for stage in stages if not groups[stage.group].upstream for value in stage.values}
    external_runs.report(instance, project, groups, lock.read(project), needed, say)
    runs = ran.runs(project)  # before this one
    door = f"Dagster run {context.run_id}"
    try:
        folders.refresh(project, None if upstream else first, say)
        for finished in repro.repro(project, sorted(wanted, key=list(known).index), say, upstream, door):
            stage = known.get(finished.stage)
            if stage and (finished.changed or finished.stage in wanted):
                say(f"{finished.stage}: {finished.status}")
                entries = lock.read_with(project, stage.name, stage.outs)
                latest = events.pointers(instance, groups[stage.group])
                now = finished.seconds is not None
                times = {} if now else ran.of(project, stage, entries[stage.name], runs).times
                status, seconds, measured = finished.status, finished.seconds, finished.measured
                yield events.materialization(project, groups, stage, entries, latest, status, seconds, measured, times)
    except repro.StageError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
