"""Print schedules, sensors and failed runs from Dagster's history as JSON: `python -m assets.ticks`, with DAGSTER_HOME set.

For `conservatory status`, which does not import Dagster. Definitions are not loaded: a schedule or sensor that was never turned
on, and is off by default, is not in the history."""

import datetime
import json
import sys

import dagster as dg

from assets import location
from assets.patches.instigators import instigators

MAX_RUNS = 5
LOOKED_AT = 100  # failed runs to look at; some may be of other projects


def history(instance: dg.DagsterInstance) -> dict:
    """`{"schedules": [...], "sensors": [...], "failed": [...]}`."""
    found = {"schedules": [], "sensors": []}
    for each in instigators(instance):
        if not location.is_ours(each.origin):
            continue
        entry = {"name": each.name, "on": each.on, "last": each.last and _tick(each.last)}
        if each.is_schedule:
            following = each.following and each.following.isoformat()
            found["schedules"].append({**entry, "cron": each.cron, "next": following})
        else:
            found["sensors"].append(entry)
    failures = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), limit=LOOKED_AT)
    records = [record for record in failures if location.is_ours(record.dagster_run.remote_job_origin)][:MAX_RUNS]
    return {
        **found,
        "failed": [
            {"run": record.dagster_run.run_id, "job": record.dagster_run.job_name, "time": _time(record.end_time)}
            for record in records
        ],
    }


def _tick(tick) -> dict:
    return {
        "time": _time(tick.timestamp),
        "status": tick.status.value.lower(),
        "error": tick.error.message.strip()[:300] if tick.error else tick.skip_reason,
    }


def _time(timestamp: float | None) -> str | None:
    return timestamp and datetime.datetime.fromtimestamp(timestamp, datetime.UTC).isoformat(timespec="seconds")


def main() -> None:
    with dg.DagsterInstance.get() as instance:
        json.dump(history(instance), sys.stdout)


if __name__ == "__main__":
    main()
