"""Choose the old events of runs outside Dagster that are deleted, by the same policy as for runs (`prune.py`)."""

import time
from collections import defaultdict

import dagster as dg

from assets.patches import event_tables
from assets.patches.event_tables import Event

DAY = 86_400.0


def find(
    instance: dg.DagsterInstance, keep_days: float, keep_last: int, assets: list[str]
) -> tuple[list[Event], dict[str, int]]:
    """The events to delete; and reason -> how many are kept for it.

    assets: keys as JSON. Only their events are counted, since other projects may share the history.
    """
    going, kept = [], defaultdict[str, int](int)
    newest_first = sorted(event_tables.of_no_run(instance, assets), key=lambda event: (-event.when, -event.id))
    for number, event in enumerate(newest_first, 1):
        if event.latest:
            kept["the latest of an asset's partition or of a check, or an event it is compared with"] += 1
        elif number <= keep_last:
            kept[f"among the {keep_last} newest"] += 1
        elif (time.time() - event.when) / DAY < keep_days:
            kept[f"less than {keep_days:g} days old"] += 1
        else:
            going.append(event)
    return going, dict(kept)
