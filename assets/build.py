"""Build Dagster's definitions of a project from its folder."""

import os
import warnings
from pathlib import Path

import dagster as dg

from assets import alerts, automation, checks, jobs, materialize, pruning, recipe, retraining, schedules, sensors
from pipelines.core import params
from pipelines.ops.settings import load_params


def build(project: Path) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of the project in a folder with a dvc.yaml.

    Partitions are those of the present params.yaml; reload the definitions in the UI after a change. Raises `ValueError` for an
    invalid params.yaml.
    """
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    # Dagster still calls partitions of two dimensions beta
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    try:
        settings = load_params(
            project / params.PARAMS
        )  # before DVC, which inserts names from it into commands and paths
    except SystemExit as error:
        raise ValueError(str(error)) from None
    groups = recipe.load(project)
    retrain, on = retraining.job(project), automation.wanted(settings, "registry")
    prune = pruning.job(project)
    study = [jobs.study(project, groups)] if set(jobs.STUDY) <= set(groups) else []
    return dg.Definitions(
        assets=[
            *(materialize.definition(project, groups, group, on) for group in groups.values()),
            retraining.champion(groups, on),
        ],
        asset_checks=[checks.definition(project, group) for group in groups.values() if checks.specs(group)],
        jobs=[jobs.demo(project, groups), jobs.retrain(project, groups), retrain, prune, *study],
        schedules=[
            schedules.weekly_retrain(retrain, on),
            schedules.weekly_prune(prune, automation.wanted(settings, "retention")),
        ],
        sensors=[
            sensors.plain_runs(project, groups),
            sensors.new_data(project, retrain, on),
            alerts.sensor(project, groups),
            automation.keep_up(on),
        ],
        executor=dg.in_process_executor,  # each step starts a subprocess anyway
    )
