"""What Dagster is told of a finished stage: an `AssetMaterialization` with DVC's hash as its data version.

The same event for a materialization, a job and the sensor. It says which versions of its inputs the stage read, in the
tags Dagster itself would write, so that an asset is marked out of date when its inputs changed and not otherwise.
Dagster's own events would not do: they give all partitions of a run one data version.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from assets import metadata, partitions
from assets.recipe import Stage, StageGroup
from pipelines import recipe

SOME = 500  # events are asked for at a time
LOCK_TAG = "conservatory/lock"
"""Digest of the entry in dvc.lock an event speaks of: how the sensor knows what Dagster has been told already."""


def materialization(
    project: Path,
    groups: Mapping[str, StageGroup],
    stage: Stage,
    entries: Mapping[str, Mapping],
    latest: Mapping[str, int | None],
    status: str,
    seconds: float | None = None,
    measured: Mapping[str, object] | None = None,
    times: Mapping[str, float] | None = None,
) -> dg.AssetMaterialization:
    """The event for `stage` as it stands in `entries`, those of dvc.lock; `latest`: `pointers` of its group.

    `status` is a sentence on what became of it, `seconds` how long its command ran, if it did, `measured` what its progress was,
    `times` when it ran if that was not now: a name and seconds since 1970.
    """
    group, entry = groups[stage.group], entries[stage.name]
    partition = partitions.key(group, stage)
    dimensions = partition.keys_by_dimension if isinstance(partition, dg.MultiPartitionKey) else {}
    return dg.AssetMaterialization(
        group.name,
        partition=partition,
        description=status,
        metadata=metadata.of_stage(project, group, stage, entry, status, seconds, measured or {}, times or {}),
        tags={
            "dagster/data_version": version(stage, entries),
            "dagster/data_version_is_user_provided": "true",
            "dagster/code_version": recipe.code_version(entry),
            LOCK_TAG: recipe.digest(entry),
            **{f"dagster/partition/{name}": value for name, value in dimensions.items()},
            **_inputs(groups, stage, entries, latest),
        },
    )


def version(stage: Stage, entries: Mapping[str, Mapping]) -> str:
    """DVC's hash of what a stage made; NULL, as Dagster says, if it has not run."""
    return recipe.data_version(entries[stage.name], stage.data) if stage.name in entries else "NULL"


def told(instance: dg.DagsterInstance, group: StageGroup) -> dict[str | None, str | None]:
    """Partition (None of an asset without) -> the digest of the lock entry that Dagster's latest event for it speaks of."""
    asset, found = dg.AssetKey(group.name), {}
    if group.dimensions:
        event = dg.DagsterEventType.ASSET_MATERIALIZATION
        latest = list(instance.get_latest_storage_id_by_partition(asset, event).values())
        wanted = [dg.AssetRecordsFilter(asset, storage_ids=latest[n : n + SOME]) for n in range(0, len(latest), SOME)]
    else:
        wanted = [dg.AssetRecordsFilter(asset)]
    for records in wanted:
        for record in instance.fetch_materializations(records, limit=SOME if group.dimensions else 1).records:
            found[record.partition_key] = (record.asset_materialization.tags or {}).get(LOCK_TAG)
    return found


def pointers(instance: dg.DagsterInstance, group: StageGroup) -> dict[str, int | None]:
    """Asset that the group needs -> Dagster's latest event of it."""
    records = instance.get_asset_records([dg.AssetKey(name) for name in group.upstream])
    return {
        record.asset_entry.asset_key.to_user_string(): record.asset_entry.last_materialization_storage_id
        for record in records
    }


def _inputs(
    groups: Mapping[str, StageGroup], stage: Stage, entries: Mapping, latest: Mapping[str, int | None]
) -> dict[str, str]:
    """Tags naming, for each asset the group needs, the version read and Dagster's latest event of it."""
    tags = {}
    for name, pairs in groups[stage.group].upstream.items():
        read = {other for one, other in pairs if one == stage.name}
        versions = [version(other, entries) for other in groups[name].stages if other.name in read]
        tags[f"dagster/input_event_pointer/{name}"] = str(latest.get(name) or "NULL")
        tags[f"dagster/input_data_version/{name}"] = (
            versions[0] if len(versions) == 1 else hashlib.sha256("".join(versions).encode()).hexdigest()
        )
    return tags
