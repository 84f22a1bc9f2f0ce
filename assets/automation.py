"""When Dagster materializes an asset automatically, and when it shows one as overdue. Off by default.

Stages that train (`meta: {trains: true}` in dvc.yaml) are excluded: a model changes by the weekly retraining and its gate
(`assets/retraining.py`), not because a clip was added.
"""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from assets.recipe import StageGroup

EVERY_NIGHT = "0 2 * * *"
NIGHTLY_DAYS = 2
WEEKLY_DAYS = 8
"""Days after which an asset that is due every night, or every week, is overdue."""


def wanted(settings: Mapping, section: str) -> bool:
    """Is `automatic: true` set in a section of params.yaml, so that its automation is on by default?"""
    found = settings.get(section)
    return isinstance(found, Mapping) and found.get("automatic") is True


def condition(group: StageGroup) -> dg.AutomationCondition | None:
    """When an asset is materialized automatically: one without inputs every night (its folder may have changed), any other when
    an input has new data or a partition is new. None: never."""
    if group.meta.get("trains"):
        return None
    if not group.upstream:
        due = dg.AutomationCondition.cron_tick_passed(EVERY_NIGHT).since_last_handled()
        return (due & ~dg.AutomationCondition.in_progress()).with_label("every night")
    # not `eager`, which takes an input that was materialized without a change for a new one
    changed = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed())
    due = (changed | dg.AutomationCondition.newly_missing()).since_last_handled()
    free = ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress()
    return (due & ~dg.AutomationCondition.any_deps_missing() & free).with_label("an input has new data")


def freshness(days: int, on: bool) -> dg.FreshnessPolicy | None:
    """Warns after `days` without a materialization, fails after twice as many. None if automation is off."""
    return dg.FreshnessPolicy.time_window(timedelta(days=2 * days), timedelta(days=days)) if on else None


def keep_up(on: bool) -> dg.AutomationConditionSensorDefinition:
    """The sensor that evaluates all conditions, every 30 seconds."""
    return dg.AutomationConditionSensorDefinition(
        "keep_up",
        target=dg.AssetSelection.all(),
        description=(
            "Brings data, embeddings and the evaluation up to date when their inputs change. It does not train: "
            "weekly_retrain does, with its gate."
        ),
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
    )
