"""What Dagster does by itself with single assets, and when it calls one overdue. Off until it is turned on.

What trains (`meta: {trains: true}` in dvc.yaml) is left out: a model changes by the weekly retraining and its gate
(`assets/retraining.py`), not because a clip came in.
"""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from assets.recipe import StageGroup

EVERY_NIGHT = "0 2 * * *"
NIGHTLY_DAYS = 2
WEEKLY_DAYS = 8
"""Days after which what runs every night, or every week, is late."""


def wanted(settings: Mapping, section: str) -> bool:
    """Does `automatic` in a section of params.yaml turn on what it is about, without the UI?"""
    found = settings.get(section)
    return isinstance(found, Mapping) and found.get("automatic") is True


def condition(group: StageGroup) -> dg.AutomationCondition | None:
    """When an asset is materialized by itself: what needs nothing every night (its folder is looked at), what needs others when
    one of them has other data than before, or when a partition is new. None: never."""
    if group.meta.get("trains"):
        return None
    if not group.upstream:
        due = dg.AutomationCondition.cron_tick_passed(EVERY_NIGHT).since_last_handled()
        return (due & ~dg.AutomationCondition.in_progress()).with_label("every night")
    # not `eager`, which takes an input that was looked at and left alone for a new one
    changed = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed())
    due = (changed | dg.AutomationCondition.newly_missing()).since_last_handled()
    free = ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress()
    return (due & ~dg.AutomationCondition.any_deps_missing() & free).with_label("its inputs have other data")


def freshness(days: int, on: bool) -> dg.FreshnessPolicy | None:
    """Late after `days` without a look, failed after twice as many. None while nothing runs by itself."""
    return dg.FreshnessPolicy.time_window(timedelta(days=2 * days), timedelta(days=days)) if on else None


def keep_up(on: bool) -> dg.AutomationConditionSensorDefinition:
    """The sensor that looks at all conditions, every half a minute."""
    return dg.AutomationConditionSensorDefinition(
        "keep_up",
        target=dg.AssetSelection.all(),
        description=(
            "Brings data, embeddings and the evaluation up to date when what they are made of changed; training waits for "
            "weekly_retrain and its gate."
        ),
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
    )
