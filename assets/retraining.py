"""The job that runs `conservatory retrain`: train in a separate git worktree, and promote the model if the gate accepts it.

The job `retrain` (`jobs.py`) is another: it trains in this project's folder and changes its files, but no champion.
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
"""The asset for the registry: one event per decision."""


def job(project: Path) -> dg.JobDefinition:
    description = (
        "Train on the present music in a separate git worktree, and compare the model with the champion: it is promoted if it is "
        "not worse, and refused otherwise. The project's files are not changed; the decision is in registry/."
    )

    pool = "gpu" if "gpu" in pools.limits() else JOB  # in its own worktree, so it need not wait for the default pool

    @dg.op(name=f"{JOB}_step", description=description, out=dg.Out(dg.Nothing), pool=pool)
    def step(context: dg.OpExecutionContext):
        with TemporaryDirectory() as folder:
            decisions_file = Path(folder) / "decisions.json"
            try:
                variables = {**repro.environment(), made_by.FOR: f"Dagster run {context.run_id}"}
                for line in repro.lines(project, [*COMMAND, "--json", str(decisions_file)], variables):
                    context.log.info(line)
            except repro.StageError as error:
                raise dg.Failure(str(error), allow_retries=False) from None
            found = json.loads(decisions_file.read_text(encoding="utf-8"))
        decided = {name: event for name, event in found["models"].items() if event}
        for name, event in decided.items():
            say = context.log.warning if event["event"] == "refused" else context.log.info
            say(f"{name}: version {event['version']} {event['event']}, {event['reason']}")
        metadata = {
            "commit": found["commit"] or "nothing had changed",
            **{
                name: f"version {event['version']} {event['event']}: {event['reason']}"
                for name, event in decided.items()
            },
        }
        yield dg.AssetMaterialization(CHAMPION, description="compared new models with the champions", metadata=metadata)
        yield dg.Output(None, metadata=metadata)

    graph = dg.GraphDefinition(f"{JOB}_steps", description=description, node_defs=[step])
    return graph.to_job(JOB, description=description, executor_def=dg.in_process_executor)


def champion(groups: Mapping[str, StageGroup], on: bool) -> dg.AssetSpec:
    """The registry as an asset of the graph: each retraining adds an event, and it is overdue after a week without one."""
    return dg.AssetSpec(
        CHAMPION,
        deps=[name for name, group in groups.items() if group.meta.get("trains")],
        description="The models in use (registry/, `conservatory models list`). Each retraining adds its decisions here.",
        group_name="models",
        kinds={"git"},
        freshness_policy=automation.freshness(automation.WEEKLY_DAYS, on),
    )
