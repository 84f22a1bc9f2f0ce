"""The job that trains again in a worktree of its own and lets the gate decide; `conservatory retrain` does the work.

Not here: the job `retrain`, which renews the assets of this tree. That changes what is on disk, this only what is champion.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from assets import automation, pools, repro
from assets.recipe import StageGroup
from pipelines.ops.runs import made_by

JOB = "retrain_and_promote"
COMMAND = [sys.executable, "-m", "pipelines.cli", "retrain"]
CHAMPION = "champion"
"""The asset that stands for the registry: an event a decision."""


def job(project: Path) -> dg.JobDefinition:
    description = (
        "Train on the music as it is now, in a git worktree of its own, and compare with the champion: promoted if it is not "
        "worse, refused otherwise. The files of this project are left alone; registry/ says what was decided."
    )

    pool = "gpu" if "gpu" in pools.limits() else JOB  # it trains; in a tree of its own, so that no other pool is its

    @dg.op(name=f"{JOB}_step", description=description, out=dg.Out(dg.Nothing), pool=pool)
    def step(context: dg.OpExecutionContext):
        with TemporaryDirectory() as folder:
            told = Path(folder) / "told.json"
            try:
                variables = {**repro.environment(), made_by.FOR: f"Dagster run {context.run_id}"}
                for line in repro.lines(project, [*COMMAND, "--json", str(told)], variables):
                    context.log.info(line)
            except repro.StageError as error:
                raise dg.Failure(str(error), allow_retries=False) from None
            found = json.loads(told.read_text(encoding="utf-8"))
        decided = {name: event for name, event in found["models"].items() if event}
        for name, event in decided.items():
            say = context.log.warning if event["event"] == "refused" else context.log.info
            say(f"{name}: version {event['version']} {event['event']}, {event['reason']}")
        metadata = {
            "commit": found["commit"] or "nothing was new",
            **{
                name: f"version {event['version']} {event['event']}: {event['reason']}"
                for name, event in decided.items()
            },
        }
        yield dg.AssetMaterialization(CHAMPION, description="looked for a better model", metadata=metadata)
        yield dg.Output(None, metadata=metadata)

    graph = dg.GraphDefinition(f"{JOB}_steps", description=description, node_defs=[step])
    return graph.to_job(JOB, description=description, executor_def=dg.in_process_executor)


def champion(groups: Mapping[str, StageGroup], on: bool) -> dg.AssetSpec:
    """What the registry holds, in the graph: told of by each retraining, and late when none has looked for over a week."""
    return dg.AssetSpec(
        CHAMPION,
        deps=[name for name, group in groups.items() if group.meta.get("trains")],
        description="The models in use (registry/, `conservatory models list`): each retraining leaves its decisions here.",
        group_name="models",
        kinds={"git"},
        freshness_policy=automation.freshness(automation.WEEKLY_DAYS, on),
    )
