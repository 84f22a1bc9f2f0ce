"""The event for a finished stage: an `AssetMaterialization` with DVC's hash as its data version.

A materialization, a job and the sensor log the same event. Its tags name the versions of the inputs that the stage read, in the
form of Dagster's own events, so that an asset is out of date if and only if its inputs changed. Dagster's own events give all
partitions of a run one data version.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from assets import metadata, partitions
from assets.patches import event_storage, tags
from assets.recipe import Stage, StageGroup
from pipelines import recipe

SOME = 500  # events per query
LOCK_TAG = "conservatory/lock"
"""A tag: digest of the entry in dvc.lock that an event reports. It shows which entries have been reported."""


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
    """The event for a stage.

    entries: of dvc.lock; latest: `pointers` of the stage's group; status: a sentence on how the stage ended; seconds: run time of
    its command, None if it did not run; measured: its progress; times: when it ran, if not now, name -> seconds since 1970.
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
    """DVC's hash of a stage's output; NULL, Dagster's word, if it has not run."""
    return recipe.data_version(entries[stage.name], stage.data) if stage.name in entries else tags.NONE


def reported(instance: dg.DagsterInstance, group: StageGroup) -> dict[str | None, str | None]:
    """Partition (None for an asset without any) -> the digest of the entry of dvc.lock in Dagster's latest event for it."""
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
    """Asset that the group needs -> storage id of its latest event."""
    return event_storage.latest_pointers(instance, list(group.upstream))


def _inputs(
    groups: Mapping[str, StageGroup], stage: Stage, entries: Mapping, latest: Mapping[str, int | None]
) -> dict[str, str]:
    """Tags that name, for each asset the group needs, the version read and its latest event."""
    found = {}
    for name, pairs in groups[stage.group].upstream.items():
        read = {other for one, other in pairs if one == stage.name}
        versions = [version(other, entries) for other in groups[name].stages if other.name in read]
        version_read = versions[0] if len(versions) == 1 else hashlib.sha256("".join(versions).encode()).hexdigest()
        found |= tags.of_input(name, version_read, latest.get(name))
    return found
