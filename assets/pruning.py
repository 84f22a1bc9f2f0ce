"""The job that runs `conservatory prune`, which frees disk space by the policy in params.yaml (Dagster's runs: `prune.py`)."""

import sys
from pathlib import Path

import dagster as dg

from assets import repro, retraining

JOB = "prune_old"
COMMAND = [sys.executable, "-m", "pipelines.cli", "prune", "--yes"]


def job(project: Path) -> dg.JobDefinition:
    description = (
        "Delete what is older than `retention` in params.yaml allows: experiments, interrupted retrainings, unreferenced files "
        "of DVC's cache, finished runs of Dagster. Files that a registered model needs are kept."
    )

    @dg.op(name=f"{JOB}_step", description=description, out=dg.Out(dg.Nothing), pool=retraining.JOB)
    def step(context: dg.OpExecutionContext):
        try:
            for line in repro.lines(project, COMMAND):
                context.log.info(line)
        except repro.StageError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        yield dg.Output(None)

    graph = dg.GraphDefinition(f"{JOB}_steps", description=description, node_defs=[step])
    return graph.to_job(JOB, description=description, executor_def=dg.in_process_executor)
