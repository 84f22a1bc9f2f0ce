"""Schedules: when jobs start automatically. Off until they are turned on in the UI (Automation) or in params.yaml."""

import dagster as dg

WEEKLY = "0 3 * * 1"


def weekly_retrain(job: dg.JobDefinition, on: bool) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name="weekly_retrain",
        job=job,
        cron_schedule=WEEKLY,
        description="Mondays at 03:00 UTC: retrain on all music of the week in one run.",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
    )


def weekly_prune(job: dg.JobDefinition, on: bool) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name="weekly_prune",
        job=job,
        cron_schedule="0 5 * * 0",
        description="Sundays at 05:00 UTC: free disk space by `retention` in params.yaml.",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
    )
