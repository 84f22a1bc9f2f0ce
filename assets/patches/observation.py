"""Metadata that keeps Dagster from adding an event of its own for a step that has logged its events itself.

Uses: `dagster._core.definitions.source_asset.SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION`.

Why: an event that Dagster adds gives all partitions of a run one data version. A step here logs one event for each partition,
with DVC's hash as its data version. An output left out would have the same effect, but then the assets after it are not run.

Written for: dagster 1.13.27

Without it: after a run of several partitions, Dagster shows all of them with one data version, and the assets that read them as
out of date.
"""

from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from pipelines.ops.patches.versions import fits

VERSION = "1.13.27"


def logged() -> dict[str, bool]:
    """Metadata for the `MaterializeResult` of a step that has logged its events."""
    fits("dagster", VERSION, "partitions of one run may be shown with one data version")
    return {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
