"""The schedules and sensors in Dagster's history, with the last tick of each, read without loading the definitions.

Uses: `DagsterInstance.all_instigator_state` and `get_ticks`, `dagster._core.scheduler.instigation`, and
`dagster._utils.schedules.cron_string_iterator`.

Why: `conservatory status` must answer within seconds and also where no Dagster runs. The documented API reads schedules
and sensors from a running webserver only.

Written for: dagster 1.13.27

Without it: `conservatory status` says nothing of schedules and sensors.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus, InstigatorType
from dagster._utils.schedules import cron_string_iterator

from pipelines.ops.patches.versions import fits

VERSION = "1.13.27"


@dataclass(frozen=True)
class Instigator:
    """A schedule or sensor that was turned on once, or is on by default."""

    name: str
    origin: Any  # says which code location it is of
    is_schedule: bool
    on: bool
    last: Any  # its latest tick: timestamp, status, error, skip_reason; None before the first
    cron: str | None = None
    following: datetime.datetime | None = None  # the next tick of a schedule that is on


def instigators(instance: dg.DagsterInstance) -> Iterator[Instigator]:
    """All of an instance, sorted by name."""
    fits("dagster", VERSION, "`conservatory status` may show schedules and sensors wrongly")
    for state in sorted(instance.all_instigator_state(), key=lambda state: state.instigator_name):
        on = state.status in (InstigatorStatus.RUNNING, InstigatorStatus.DECLARED_IN_CODE)
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        cron = getattr(state.instigator_data, "cron_schedule", None)
        yield Instigator(
            state.instigator_name,
            state.origin,
            state.instigator_type == InstigatorType.SCHEDULE,
            on,
            ticks[0] if ticks else None,
            cron,
            _following(cron) if on and isinstance(cron, str) else None,
        )


def _following(cron: str) -> datetime.datetime | None:
    now = datetime.datetime.now(datetime.UTC).timestamp()
    return next(cron_string_iterator(now, cron, "UTC"), None)
