"""Tags of an event from which Dagster computes whether an asset is out of date.

Uses: the names that `dagster._core.definitions.data_version` gives to tags, and `MULTIPARTITION_DIMENSION_TAG_PREFIX`.

Why: an event reported from outside a run, or logged by a step, has only the tags it is given. With these, Dagster compares the
versions of the inputs that the stage has read, as it does for its own events.

Written for: dagster 1.13.27

Without it: Dagster shows every asset as up to date, or as never out of date, whatever its inputs are.
"""

from pipelines.ops.patches.versions import fits

VERSION = "1.13.27"
DATA_VERSION = "dagster/data_version"
DATA_VERSION_IS_OURS = "dagster/data_version_is_user_provided"
CODE_VERSION = "dagster/code_version"
INPUT_DATA_VERSION = "dagster/input_data_version/"
INPUT_EVENT_POINTER = "dagster/input_event_pointer/"
DIMENSION = "dagster/partition/"
NONE = "NULL"
"""In place of a version or a pointer: the input has never been materialized."""


def of_output(data_version: str, code_version: str, dimensions: dict[str, str]) -> dict[str, str]:
    """Tags of a materialization. dimensions: of a partition with several, dimension -> key."""
    fits("dagster", VERSION, "assets may be shown as out of date, or up to date, wrongly")
    return {
        DATA_VERSION: data_version,
        DATA_VERSION_IS_OURS: "true",
        CODE_VERSION: code_version,
        **{f"{DIMENSION}{name}": key for name, key in dimensions.items()},
    }


def of_input(asset: str, data_version: str, pointer: int | None) -> dict[str, str]:
    """Tags for one asset that was read: its data version, and the storage id of its latest event then."""
    return {f"{INPUT_EVENT_POINTER}{asset}": str(pointer or NONE), f"{INPUT_DATA_VERSION}{asset}": data_version}
