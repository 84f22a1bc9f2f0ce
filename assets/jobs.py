"""Jobs for the UI, the command line and schedules: each brings many assets up to date.

A job has one step per asset, in the order of the recipe, which brings all its partitions up to date. (Dagster's own asset jobs
cannot contain assets with different partitions.) To run less, materialize assets in the lineage graph.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import dagster as dg

from assets import checks, materialize, pools, recipe
from assets.recipe import StageGroup

TRAINING = "models"
"""The group, in dvc.yaml, of the assets that `retrain` makes."""
STUDY = ("study", "leaks", "ood", "degrade", "robustness")


def demo(project: Path, groups: Mapping[str, StageGroup]) -> dg.JobDefinition:
    description = "Everything, from raw music to the report. Stages that are up to date are skipped."
    return _job("demo", description, project, groups, groups)


def retrain(project: Path, groups: Mapping[str, StageGroup]) -> dg.JobDefinition:
    trained = {name for name, group in groups.items() if group.meta.get("group") == TRAINING}
    description = (
        "Train the taggers again and update everything made from them, on the present music: fingerprints of your own folders "
        "and the training data are updated first. If nothing changed, nothing is trained."
    )
    return _job("retrain", description, project, groups, trained | recipe.descendants(groups, trained))


def study(project: Path, groups: Mapping[str, StageGroup]) -> dg.JobDefinition:
    members = set(STUDY)
    description = (
        "What embeddings know of music, for every dataset: clusterings, probes, neighbours, the leak audit, other music and "
        "robustness, and the report. Their inputs are brought up to date first."
    )
    return _job("study", description, project, groups, members | recipe.descendants(groups, members))


def _job(
    name: str, description: str, project: Path, groups: Mapping[str, StageGroup], members: Collection[str]
) -> dg.JobDefinition:
    """A job over the groups `members`. Inputs of theirs that are no members are brought up to date too."""
    chosen = [group for group in groups.values() if group.name in members]
    after = {group.name: _after(groups, group, members) for group in chosen}
    graph = dg.GraphDefinition(
        f"{name}_steps",  # a graph may not have the name of an asset; a job may
        description=description,
        node_defs=[_step(name, project, groups, group, after[group.name], members) for group in chosen],
        dependencies={
            dg.NodeInvocation(_step_name(name, group), alias=group.name): {
                up: dg.DependencyDefinition(up) for up in after[group.name]
            }
            for group in chosen
        },
    )
    return graph.to_job(name, description=description, executor_def=dg.in_process_executor)


def _after(groups: Mapping[str, StageGroup], group: StageGroup, members: Collection[str]) -> list[str]:
    """The members a step waits for, without those that another of them waits for, so that the drawn graph has few lines."""
    direct = {up for up in group.upstream if up in members}
    return sorted(direct - recipe.ancestors(groups, direct))


def _step(
    job: str,
    project: Path,
    groups: Mapping[str, StageGroup],
    group: StageGroup,
    after: list[str],
    members: Collection[str],
) -> dg.OpDefinition:
    """A step: bring all partitions of one asset up to date, with inputs that no other step makes, and evaluate its checks."""
    upstream = not set(group.upstream) <= set(members)

    @dg.op(
        name=_step_name(job, group),
        description=group.description,
        ins={up: dg.In(dg.Nothing) for up in after},
        out=dg.Out(dg.Nothing),
        pool=pools.of(group.meta),
    )
    def step(context: dg.OpExecutionContext):
        done = set()
        for event in materialize.run(context, project, groups, list(group.stages), upstream):
            done.add(event.asset_key.to_user_string())
            yield event
        for name in groups:
            if name in done:
                yield from checks.evaluations(project, groups[name])
        yield dg.Output(None)

    return step


def _step_name(job: str, group: StageGroup) -> str:
    return f"{job}_{group.name}"
