"""Read the latest events, and set the limits of pools, in Dagster's storage of events.

Uses: `DagsterInstance.get_latest_storage_id_by_partition`, `AssetEntry.last_materialization_storage_id`, and of
`instance.event_log_storage` `get_latest_asset_check_execution_by_key` and `set_concurrency_slots`.

Why: the documented API gives one event a call. For thousands of partitions that takes minutes, and the limit of a pool can be
set by the command line or the page only.

Written for: dagster 1.13.27

Without it: runs outside Dagster are not reported, alerts of failed checks are not sent, old runs are not deleted, and a team's
pools have no limits.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from pipelines.ops.patches.versions import fits

VERSION = "1.13.27"


def latest_materializations(instance: dg.DagsterInstance, asset: dg.AssetKey) -> list[int]:
    """The storage ids of the latest materialization of each partition of an asset; one without partitions has none here."""
    fits("dagster", VERSION, "the latest events may not be found")
    return list(instance.get_latest_storage_id_by_partition(asset, dg.DagsterEventType.ASSET_MATERIALIZATION).values())


def latest_pointers(instance: dg.DagsterInstance, assets: Sequence[str]) -> dict[str, int | None]:
    """Asset -> the storage id of its latest materialization."""
    records = instance.get_asset_records([dg.AssetKey(name) for name in assets])
    return {
        record.asset_entry.asset_key.to_user_string(): record.asset_entry.last_materialization_storage_id
        for record in records
    }


def latest_checks(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]
) -> Iterator[tuple[dg.AssetCheckKey, int, float, dg.AssetCheckEvaluation]]:
    """(check, storage id, seconds since 1970, evaluation) of the latest evaluation of each check that has one."""
    for key, record in instance.event_log_storage.get_latest_asset_check_execution_by_key(keys).items():
        if record.event and record.event.dagster_event and (found := record.event.asset_check_evaluation):
            yield key, record.id, record.event.timestamp, found


def limit_pool(instance: dg.DagsterInstance, pool: str, limit: int) -> None:
    """Let at most `limit` runs use a pool at once."""
    instance.event_log_storage.set_concurrency_slots(pool, limit)
