"""Schedules: when jobs start by themselves. All are off until they are turned on in the UI (Automation)."""

import dagster as dg


def weekly_retrain(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name="weekly_retrain",
        job=job,
        cron_schedule="0 3 * * 1",
        description="Mondays at three in the morning (UTC): retrain on whatever came in during the week, in one run.",
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
