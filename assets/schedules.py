"""Schedules: when jobs start by themselves. Off until they are turned on in the UI (Automation) or in params.yaml."""

import dagster as dg

WEEKLY = "0 3 * * 1"


def weekly_retrain(job: dg.JobDefinition, on: bool) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name="weekly_retrain",
        job=job,
        cron_schedule=WEEKLY,
        description="Mondays at three in the morning (UTC): retrain on whatever came in during the week, in one run.",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
    )
