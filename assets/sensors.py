"""Sensors: what is watched for. The one that only tells Dagster what was run without it is on; what retrains is off until it is
turned on in the UI (Automation) or in params.yaml.

`alerts.py` has one more, which is on as soon as params.yaml or the environment says whom to tell.
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

LOOK_EVERY = 300  # seconds
NAMED = 20  # stages in a sentence
MOST = 500  # stages reported in one look, some 20 ms each: Dagster gives a look a minute
DATA, TRY = "conservatory/data", "conservatory/try"
TRIES = 3  # of a retraining on the same data
TRY_AFTER = 3600  # seconds since the last has failed
BUSY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def plain_runs(project: Path, groups: Mapping[str, StageGroup]) -> dg.SensorDefinition:
    """Reports runs without Dagster to it, which changes nothing but Dagster's history: on by default.

    Its cursor: the hash of dvc.lock and of the stages known here, so that a look at what has not changed reads one file and asks
    no database; and the digest of each stage's entry.
    """
    known = {stage.name: stage for group in groups.values() for stage in group.stages}

    @dg.sensor(
        name="plain_dvc_runs",
        description=(
            "Tells Dagster what `conservatory run` or `dvc repro` did without it, and when, so that the two never disagree. "
            "It runs and changes nothing."
        ),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(context: dg.SensorEvaluationContext):
        if not (project / recipe.LOCK).exists():
            return dg.SkipReason("nothing has been run yet: there is no dvc.lock")
        # of stages this process knows: those of a dataset added since are news when the definitions are loaded again
        version = hashlib.sha256("\0".join(known).encode() + (project / recipe.LOCK).read_bytes()).hexdigest()
        seen = {"lock": "", "stages": {}} | json.loads(context.cursor or "{}")
        if version == seen["lock"]:
            return dg.SkipReason("dvc.lock has not changed")
        if lock.being_written(project):
            return dg.SkipReason("dvc.lock is being written")
        if context.instance.get_runs_count(dg.RunsFilter(statuses=BUSY)):
            return dg.SkipReason("Dagster itself is running stages; looking again afterwards")
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
        return dg.SkipReason(f"reported {len(reported)}: {names}" if reported else "dvc.lock has nothing new")

    return sensor


def new_data(project: Path, job: dg.JobDefinition, on: bool) -> dg.SensorDefinition:
    """Retrains when watched data have changed and are at rest. Its cursor: what was seen last, what was retrained on, and the
    number of that request. The number makes a new request of data that come back, since Dagster starts one run a key for ever;
    it follows from the cursor before, so that a look that is done again after a crash asks under the same key.
    """

    @dg.sensor(
        name="new_data",
        job=job,
        description=(
            "Retrains when files came, changed or went in a dataset's folder, archive or CSV, or a .dvc file did, and nothing "
            "has moved since the last look: a copy that goes on is waited for. A retraining that failed is tried again, an hour "
            f"later, {TRIES} times in all."
        ),
        minimum_interval_seconds=LOOK_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
    )
    def sensor(context: dg.SensorEvaluationContext):
        if gone := folders.away(project):
            return dg.SkipReason(f"not there: {', '.join(gone)}; looking again when it is")
        now, count = folders.signature(project)
        # it counts from the time of the first look: numbers are not used again where a cursor is set back in the UI
        first = {"seen": now, "trained": now, "number": int(time.time())}
        before = {"number": 0} | json.loads(context.cursor) if context.cursor else first
        at_rest = now == before["seen"]
        due = at_rest and now != before["trained"]
        waiting = folders.uncommitted(project) if due else []
        asked = {"trained": now, "number": before["number"] + 1} if due and not waiting else {}
        after = before | {"seen": now} | asked
        context.update_cursor(json.dumps(after))
        request = f"{now}.{after['number']}" if after["number"] else now  # a cursor of before there were numbers
        if waiting:
            return dg.SkipReason(f"a retraining starts from the last commit: commit {', '.join(waiting)} first")
        if due:
            return dg.RunRequest(run_key=request, tags={DATA: request, TRY: "1"})
        if not at_rest:
            return dg.SkipReason(
                f"{count} files, and they have changed since the last look: waiting until they are at rest"
            )
        return _once_more(context.instance, request) or dg.SkipReason(f"{count} watched files have not changed")

    return sensor


def _once_more(instance: dg.DagsterInstance, request: str) -> dg.RunRequest | dg.SkipReason | None:
    """What to do about the retraining that was asked for if it failed; None where it did not, or nobody asked for one. A run that
    somebody started again from Dagster's own pages counts as well, and one that was canceled is not asked for again."""
    records = instance.get_run_records(dg.RunsFilter(tags={DATA: request}))
    last = max(records, key=lambda record: record.create_timestamp, default=None)
    if last is None or last.dagster_run.status != dg.DagsterRunStatus.FAILURE:
        return None
    tried = max(int(record.dagster_run.tags.get(TRY, "1")) for record in records)
    if tried >= TRIES:
        return dg.SkipReason(
            f"the retraining on these data failed {tried} times and waits until they change; its run says why, and how to go on"
        )
    wait = (last.end_time or last.update_timestamp.timestamp()) + TRY_AFTER - time.time()
    if wait > 0:
        return dg.SkipReason(f"the retraining on these data failed; it is tried again in {wait / 60:.0f} minutes")
    return dg.RunRequest(run_key=f"{request}-{tried + 1}", tags={DATA: request, TRY: str(tried + 1)})
