"""Dagster's internals are as they were when the patches in `assets/patches/` were written for them.

A failure names the patch to read again: is what it replaces or uses still what its docstring says? Then take over the new digest.
"""

import inspect

import dagster as dg
import pytest
from upstream import digest

from assets.patches import dev, event_tables, observation, run_server, tags, webserver

STORAGE = "dagster._core.storage.event_log.sql_event_log.SqlEventLogStorage"
SOURCES = {
    "webserver": {
        "dagster_webserver.webserver.DagsterWebserver.build_middleware": "c19b70fadaac",
        "dagster_webserver.webserver.DagsterWebserver.build_static_routes": "8fcd74dd9b81",
        "dagster_webserver.webserver.DagsterWebserver.make_security_headers": "5679183ac80a",
        "dagster_webserver.app.create_app_from_workspace_process_context": "137e27a692ee",
        "dagster._core.workspace.context.IWorkspaceProcessContext": "883250d40318",
    },
    "dev": {
        "dagster._cli.dev.dev_command_impl": "768ddfe174d1",
        "dagster_shared.ipc.open_ipc_subprocess": "08591603219f",
    },
    "guard": {
        "dagster._cli.dev.dev_command_impl": "768ddfe174d1",
        "dagster_shared.ipc.open_ipc_subprocess": "08591603219f",
        "dvc.stage.run._run": "fc8f7afa2882",
    },
    "observation": {
        "dagster._core.execution.plan.execute_step._log_materialization_or_observation_events_for_asset": "a017c3c907de",
    },
    "event_tables": {
        f"{STORAGE}.store_event": "d3beba30f6a1",
        "dagster._core.storage.event_log.sqlite.sqlite_event_log.SqliteEventLogStorage.store_event": "21771f9403e1",
        f"{STORAGE}.delete_events_for_run": "d2db7e8b2f5c",
    },
    "event_storage": {
        f"{STORAGE}.get_latest_storage_id_by_partition": "7b52934411fe",
        f"{STORAGE}.get_latest_asset_check_execution_by_key": "9348828f8afb",
        f"{STORAGE}.set_concurrency_slots": "aaf175e13fd4",
        "dagster._core.event_api.EventLogRecord": "e793a283458e",
    },
    "run_server": {"dagster._core.launcher.default_run_launcher.DefaultRunLauncher": "d515b20a0ad4"},
    "instigators": {
        "dagster._core.scheduler.instigation.InstigatorStatus": "3b53d95b495c",
        "dagster._core.scheduler.instigation.InstigatorState": "3c8871b31549",
        "dagster._core.scheduler.instigation.InstigatorTick": "e224146304c3",
        "dagster._utils.schedules.cron_string_iterator": "87c1bd907a84",
    },
    "tags": {
        "dagster._core.definitions.data_version.CachingStaleStatusResolver": "34bffce89de3",
        "dagster._core.definitions.data_version.extract_data_provenance_from_entry": "e4fe78a162b1",
    },
}
"""Patch -> Dagster's (or DVC's) code that it replaces, repeats or relies on, with a digest of its source."""


@pytest.mark.parametrize(("patch", "name"), [(patch, name) for patch, names in SOURCES.items() for name in names])
def test_the_source_is_the_one_the_patch_was_written_for(patch, name):
    assert digest(name) == SOURCES[patch][name], f"review assets/patches/{patch}.py"


def test_webserver_calls_what_the_patch_extends():
    from dagster_webserver import app
    from dagster_webserver.webserver import DagsterWebserver

    added, route = object(), object()
    guarded = webserver.guarded(app.DagsterWebserver, [added], [route], {"X-Frame-Options": "DENY"})
    assert app.DagsterWebserver is DagsterWebserver
    server = object.__new__(guarded)
    assert server.build_middleware()[0] is added and len(server.build_middleware()) > 1
    assert server.make_security_headers()["X-Frame-Options"] == "DENY" and len(server.make_security_headers()) > 1


def test_dev_starts_the_module_that_is_replaced():
    from dagster._cli import dev as theirs

    source = inspect.getsource(theirs.dev_command_impl)
    assert 'open_ipc_subprocess(\n                [sys.executable, "-m", "dagster_webserver"]' in source
    assert dev.with_webserver(["python", "-m", "dagster_webserver", "--port", "1"], "ours")[2] == "ours"


def test_event_tables_have_the_columns_that_are_read():
    columns = {
        "event_logs": {"id", "run_id", "event", "dagster_event_type", "timestamp", "asset_key", "partition"},
        "asset_event_tags": {"event_id"},
        "asset_check_executions": {
            *("id", "asset_key", "check_name", "partition", "run_id"),
            *("evaluation_event_storage_id", "evaluation_event_timestamp"),
        },
    }
    tables = (
        event_tables.SqlEventLogStorageTable,
        event_tables.AssetEventTagsTable,
        event_tables.AssetCheckExecutionsTable,
    )
    for table in tables:
        assert columns.pop(table.name) <= set(table.c.keys())
    assert not columns


def test_no_other_table_names_an_event():
    """A new table with an event's id would keep rows of deleted events."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata

    naming = {
        table.name
        for table in SqlEventLogStorageMetadata.tables.values()
        if any("event" in column and column.endswith("_id") for column in table.c.keys())  # noqa: SIM118
    }
    assert naming == {"asset_event_tags", "asset_check_executions"}


def test_observation_keeps_dagster_from_adding_an_event():
    def events(metadata):
        @dg.asset
        def numbers():
            return dg.MaterializeResult(metadata=metadata)

        result = dg.materialize([numbers])
        return [event for event in result.all_events if event.is_step_materialization]

    assert len(events({})) == 1 and events(observation.logged()) == []


def test_run_server_reads_the_tag_that_the_launcher_writes():
    from dagster._core.storage.tags import GRPC_INFO_TAG

    assert GRPC_INFO_TAG == run_server.TAG


def test_tags_have_dagsters_names():
    from dagster._core.definitions import data_version
    from dagster._core.definitions.partitions.utils.multi import get_tags_from_multi_partition_key

    key = dg.AssetKey("a")
    assert tags.of_output("v", "c", {}) == {
        data_version.DATA_VERSION_TAG: "v",
        data_version.DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
        data_version.CODE_VERSION_TAG: "c",
    }
    assert tags.of_input("a", "v", 7) == {
        data_version.get_input_data_version_tag(key): "v",
        data_version.get_input_event_pointer_tag(key): "7",
    }
    assert (
        tags.of_input("a", "v", None)[data_version.get_input_event_pointer_tag(key)] == data_version.NULL_EVENT_POINTER
    )
    both = get_tags_from_multi_partition_key(dg.MultiPartitionKey({"x": "1", "y": "2"}))
    assert {f"{tags.DIMENSION}{name}": value for name, value in (("x", "1"), ("y", "2"))} == both
