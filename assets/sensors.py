"""Sensors. The one that reports runs outside Dagster is on by default; the one that retrains is off until it is turned on in the
UI (Automation) or in params.yaml.

`alerts.py` has one more, which is on if params.yaml or the environment names a recipient.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import yaml

from assets import external_runs, folders, lock
from assets.recipe import StageGroup
from pipelines import recipe

LOOK_EVERY = 300  # seconds between ticks
NAMED = 20  # stages in a sentence
MOST = 500  # stages reported in one tick, some 20 ms each; Dagster ends a tick after a minute
DATA, TRY = "conservatory/data", "conservatory/try"
TRIES = 3  # tries of a retraining on the same data
TRY_AFTER = 3600  # seconds between a failure and the next try
BUSY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def plain_runs(project: Path, groups: Mapping[str, StageGroup]) -> dg.SensorDefinition:
    """Reports runs outside Dagster. It changes only Dagster's history, so it is on by default.

    Its cursor: the hash of dvc.lock and of the known stages, so that a tick without a change reads one file and no database; and
    the digest of each stage's entry.
    """
    known = {stage.name: stage for group in groups.values() for stage in group.stages}

    @dg.sensor(
        name="plain_dvc_runs",
        description=(
            "Reports runs of `conservatory run` and `dvc repro`, with their times, to Dagster's history. It runs no stage and "
            "changes no file."
        ),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(context: dg.SensorEvaluationContext):
        if not (project / recipe.LOCK).exists():
            return dg.SkipReason("no stage has run yet: there is no dvc.lock")
        # with the stages known to this process: those of a dataset added later are reported after the definitions are reloaded
        version = hashlib.sha256("\0".join(known).encode() + (project / recipe.LOCK).read_bytes()).hexdigest()
        seen = {"lock": "", "stages": {}} | json.loads(context.cursor or "{}")
        if version == seen["lock"]:
            return dg.SkipReason("dvc.lock has not changed")
        if lock.being_written(project):
            return dg.SkipReason("dvc.lock is being written")
        if context.instance.get_runs_count(dg.RunsFilter(statuses=BUSY)):
            return dg.SkipReason("a Dagster run is in progress; this sensor waits for its end")
        try:
            entries = lock.read(project)
        except yaml.YAMLError as error:
            return dg.SkipReason(f"dvc.lock cannot be read: {error}")
        now = {name: recipe.digest(entries[name]) for name in known if name in entries}
        changed = [name for name, digest in now.items() if seen["stages"].get(name) != digest]
        ready = [name for name in changed if external_runs.here(project, known[name], entries)]
        reported = external_runs.report(context.instance, project, groups, entries, ready[:MOST])
        rest = set(changed) - set(ready[:MOST])
        context.update_cursor(
            json.dumps(
                {
                    "lock": "" if rest else version,
                    "stages": {name: digest for name, digest in now.items() if name not in rest},
                }
            )
        )
        more = f" and {len(reported) - NAMED} more" if len(reported) > NAMED else ""
        names = ", ".join(reported[:NAMED]) + more
        return dg.SkipReason(f"reported {len(reported)}: {names}" if reported else "dvc.lock has no new results")

    return sensor


def new_data(project: Path, job: dg.JobDefinition, on: bool) -> dg.SensorDefinition:
    """Retrains when watched data have changed and no longer change.

    Its cursor: the signature of the data at the last tick, the signature last trained on, and the number of that request. Dagster
    starts one run per run key ever, so the number makes a new key for data that return to an earlier state. It follows from the
    previous cursor, so that a tick repeated after a crash requests the same key.
    """

    @dg.sensor(
        name="new_data",
        job=job,
        description=(
            "Retrains when files in a dataset's folder, archive or CSV, or .dvc files, were added, changed or removed, and "
            "nothing has changed since the last tick (so it waits for the end of a copy). A failed retraining is tried again "
            f"after an hour, {TRIES} times in all."
        ),
        minimum_interval_seconds=LOOK_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
    )
    def sensor(context: dg.SensorEvaluationContext):
        if gone := folders.away(project):
            return dg.SkipReason(f"missing: {', '.join(gone)}; waiting until it is back")
        now, count = folders.signature(project)
        # numbers begin at the time of the first tick, so that none is used again after the cursor is reset in the UI
        first = {"seen": now, "trained": now, "number": int(time.time())}
        before = {"number": 0} | json.loads(context.cursor) if context.cursor else first
        at_rest = now == before["seen"]
        due = at_rest and now != before["trained"]
        waiting = folders.uncommitted(project) if due else []
        asked = {"trained": now, "number": before["number"] + 1} if due and not waiting else {}
        after = before | {"seen": now} | asked
        context.update_cursor(json.dumps(after))
        request = (
            f"{now}.{after['number']}" if after["number"] else now
        )  # a cursor of an older version, without a number
        if waiting:
            return dg.SkipReason(f"a retraining starts from the last commit: commit {', '.join(waiting)} first")
        if due:
            return dg.RunRequest(run_key=request, tags={DATA: request, TRY: "1"})
        if not at_rest:
            return dg.SkipReason(f"some of {count} watched files changed since the last tick: waiting until none does")
        return _once_more(context.instance, request) or dg.SkipReason(f"{count} watched files have not changed")

    return sensor


def _once_more(instance: dg.DagsterInstance, request: str) -> dg.RunRequest | dg.SkipReason | None:
    """What to do if the requested retraining failed; None if it did not, or none was requested. A run that was started again from
    Dagster's page counts as well; one that was canceled is not requested again."""
    records = instance.get_run_records(dg.RunsFilter(tags={DATA: request}))
    last = max(records, key=lambda record: record.create_timestamp, default=None)
    if last is None or last.dagster_run.status != dg.DagsterRunStatus.FAILURE:
        return None
    tried = max(int(record.dagster_run.tags.get(TRY, "1")) for record in records)
    if tried >= TRIES:
        return dg.SkipReason(
            f"the retraining on this data failed {tried} times and is not tried again until the data change; its run says why"
        )
    wait = (last.end_time or last.update_timestamp.timestamp()) + TRY_AFTER - time.time()
    if wait > 0:
        return dg.SkipReason(f"the retraining on this data failed; the next try is in {wait / 60:.0f} minutes")
    return dg.RunRequest(run_key=f"{request}-{tried + 1}", tags={DATA: request, TRY: str(tried + 1)})
