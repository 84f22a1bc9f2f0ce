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
from assets.patches import event_storage, tags
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
            **tags.of_output(version(stage, entries), recipe.code_version(entry), dimensions),
            LOCK_TAG: recipe.digest(entry),
            **_inputs(groups, stage, entries, latest),
        },
    )


def version(stage: Stage, entries: Mapping[str, Mapping]) -> str:
    """DVC's hash of what a stage made; NULL, as Dagster says, if it has not run."""
    return recipe.data_version(entries[stage.name], stage.data) if stage.name in entries else tags.NONE


def told(instance: dg.DagsterInstance, group: StageGroup) -> dict[str | None, str | None]:
    """Partition (None of an asset without) -> the digest of the lock entry that Dagster's latest event for it speaks of."""
    asset, found = dg.AssetKey(group.name), {}
    if group.dimensions:
        latest = event_storage.latest_materializations(instance, asset)
        wanted = [dg.AssetRecordsFilter(asset, storage_ids=latest[n : n + SOME]) for n in range(0, len(latest), SOME)]
    else:
        wanted = [dg.AssetRecordsFilter(asset)]
    for records in wanted:
        for record in instance.fetch_materializations(records, limit=SOME if group.dimensions else 1).records:
            found[record.partition_key] = (record.asset_materialization.tags or {}).get(LOCK_TAG)
    return found


def pointers(instance: dg.DagsterInstance, group: StageGroup) -> dict[str, int | None]:
    """Asset that the group needs -> Dagster's latest event of it."""
    return event_storage.latest_pointers(instance, list(group.upstream))


def _inputs(
    groups: Mapping[str, StageGroup], stage: Stage, entries: Mapping, latest: Mapping[str, int | None]
) -> dict[str, str]:
    """Tags naming, for each asset the group needs, the version read and Dagster's latest event of it."""
    found = {}
    for name, pairs in groups[stage.group].upstream.items():
        read = {other for one, other in pairs if one == stage.name}
        versions = [version(other, entries) for other in groups[name].stages if other.name in read]
        version_read = versions[0] if len(versions) == 1 else hashlib.sha256("".join(versions).encode()).hexdigest()
        found |= tags.of_input(name, version_read, latest.get(name))
    return found
