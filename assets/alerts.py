"""The sensor that sends an alert when a run fails, a check of severity ERROR fails, or a promotion is refused.

`pipelines/ops/alerts` decides to whom, how often and how. It is a sensor and not a hook of the runs, so that a killed run is
reported too, and no run waits for a mail server.
"""

import datetime
import json
import time
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

import dagster as dg

from assets import checks
from assets.patches import event_storage
from assets.recipe import StageGroup
from pipelines.ops.alerts import settings
from pipelines.ops.alerts.send import alert, refusal
from pipelines.ops.runs.follow import failure

NAME = "alerts"
EVERY_S = 30
PATIENCE = 30.0  # seconds for sending in one tick; the rest is sent in the next
MAX_RUNS = 50  # per query
WINDOW = 60.0  # seconds; an event this much older than the last one sent may still appear: refusals are timed in whole seconds


def wanted(project: Path) -> bool:
    """Is the sensor on by default? Also if the configuration is invalid, so that its ticks can say so."""
    try:
        return bool(settings.load(project))
    except settings.AlertsError:
        return True


def sensor(project: Path, groups: Mapping[str, StageGroup]) -> dg.SensorDefinition:
    """The sensor. Its cursor: the time of the last event it sent (`since`), the events it sent within WINDOW of that (`sent`:
    id -> time), and the time of its first tick (`began`), before which it ignores everything."""

    @dg.sensor(
        name=NAME,
        description=(
            "Sends an alert when a run fails, a check of severity ERROR fails, or a promotion is refused. Recipients are in "
            "`alerts` of params.yaml or in the environment (docs/operations.md). On if there are any."
        ),
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING if wanted(project) else dg.DefaultSensorStatus.STOPPED,
    )
    def look(context: dg.SensorEvaluationContext):
        try:
            if not settings.load(project):
                return dg.SkipReason("no alerts are configured")
        except settings.AlertsError as error:
            return dg.SkipReason(f"no alert can be sent: {error}")
        began = time.monotonic()
        if not context.cursor:
            context.update_cursor(_cursor(time.time(), time.time(), {}))
            return dg.SkipReason("first look: alerts are sent for events from now on")
        first, since, reported = _position(context.cursor)
        sent, after = 0, max(first, since - WINDOW)
        for when, event in sorted(events(context.instance, project, groups, after, reported), key=lambda pair: pair[0]):
            if time.monotonic() - began > PATIENCE:
                break
            sent += alert(project, **event, say=context.log.warning)
            since = max(since, when)
            reported[event["id"]] = when
        context.update_cursor(_cursor(first, since, reported))
        return dg.SkipReason(f"{sent} alerts were sent")

    return look


def _position(cursor: str) -> tuple[float, float, dict[str, float]]:
    found = json.loads(cursor)
    if isinstance(found, dict):
        return found["began"], found["since"], found.get("sent", found.get("told", {}))  # told: of an older version
    return found, found, {}  # the cursor of an older version: the time alone


def _cursor(began: float, since: float, reported: Mapping[str, float]) -> str:
    kept = {id: when for id, when in reported.items() if when > since - WINDOW}
    return json.dumps({"began": began, "since": since, "sent": kept})


def events(
    instance: dg.DagsterInstance,
    project: Path,
    groups: Mapping[str, StageGroup],
    since: float,
    reported: Container[str] = (),
) -> Iterator[tuple[float, dict[str, str]]]:
    """(time, arguments of `alert`) of each event after `since` that was not `reported`, in no order."""
    yield from _failed_runs(instance, since, reported)
    found = [*_failed_checks(instance, groups, since), *_refused(project, since)]
    yield from ((when, event) for when, event in found if event["id"] not in reported)


def _failed_runs(
    instance: dg.DagsterInstance, since: float, reported: Container[str]
) -> Iterator[tuple[float, dict[str, str]]]:
    after = datetime.datetime.fromtimestamp(since, datetime.UTC)
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=after)
    for record in _records(instance, failed):
        run, when = record.dagster_run, record.end_time or record.update_timestamp.timestamp()
        if when <= since or f"run {run.run_id}" in reported:
            continue
        steps = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1).records
        detail, step = "", ""
        for found in steps:
            step = found.event_log_entry.step_key or ""
            data = found.event_log_entry.dagster_event.step_failure_data
            detail = (data.user_failure_data and data.user_failure_data.description) or (
                data.error.to_string() if data.error else ""
            )
        stage, reason = failure(detail.splitlines())
        about = stage or f"{run.job_name.removeprefix('__')} {step}".strip()
        yield (
            when,
            {
                "kind": "failed",
                "about": about,
                "reason": reason or "the run ended without an error message",
                "id": f"run {run.run_id}",
                "detail": f"Dagster run {run.run_id}\n\n{detail}",
            },
        )


def _records(instance: dg.DagsterInstance, wanted: dg.RunsFilter) -> Iterator[dg.RunRecord]:
    """All records of runs, newest first."""
    last = None
    while page := instance.get_run_records(wanted, limit=MAX_RUNS, cursor=last):
        yield from page
        last = page[-1].dagster_run.run_id


def _failed_checks(
    instance: dg.DagsterInstance, groups: Mapping[str, StageGroup], since: float
) -> Iterator[tuple[float, dict[str, str]]]:
    keys = [spec.key for group in groups.values() for spec in checks.specs(group)]
    for key, number, when, found in event_storage.latest_checks(instance, keys):
        if found.passed or found.severity != dg.AssetCheckSeverity.ERROR:
            continue
        if when > since:
            about = f"{key.asset_key.to_user_string()}: {key.name.replace('_', ' ')}"
            event = {"kind": "check failed", "about": about, "reason": found.description or "it failed"}
            yield when, {**event, "id": f"check {key.to_user_string()} {number}"}


def _refused(project: Path, since: float) -> Iterator[tuple[float, dict[str, str]]]:
    """From the registry's files, so that promotions by hand are found too."""
    for path in (project / "registry").glob("*/history.jsonl"):
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                event = json.loads(line)
                when = datetime.datetime.fromisoformat(event["time"]).timestamp()
                refused = event["event"] == "refused"
            except (ValueError, TypeError, KeyError):
                continue  # `conservatory models` reports damaged lines
            if refused and when + 1 > since:  # its time is in whole seconds
                yield when + 1, refusal(path.parent.name, event)
