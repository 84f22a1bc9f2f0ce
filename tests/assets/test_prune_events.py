"""Old events of runs outside Dagster are deleted; events that the UI shows or compares with are kept."""

import os
import subprocess
import sys
import time

import dagster as dg
import pytest
import sqlalchemy as db
import tiny_project as tiny
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from helpers import PROJECT, some

from assets import prune, prune_events
from assets.patches import event_tables

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
RAW = dg.AssetKey("raw")
OURS = [dg.AssetKey(name).to_string() for name in ("raw", "manifest", "features", "report", "audio", "b")]


@pytest.fixture(params=["sharded", "one database"])
def instance(request, tmp_path):
    """Dagster's own SQLite, where an event stands twice, and the layout that Postgres has too: all in one table."""
    if request.param == "sharded":
        with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
            yield instance
    else:
        log = {"module": "dagster._core.storage.event_log", "class": "ConsolidatedSqliteEventLogStorage"}
        overrides = {"event_log_storage": {**log, "config": {"base_dir": str(tmp_path / "events")}}}
        with dg.instance_for_test(overrides=overrides, temp_dir=str(tmp_path)) as instance:
            assert isinstance(instance.event_log_storage, ConsolidatedSqliteEventLogStorage)
            yield instance


def made(instance, partition, version, asset="raw", **tags):
    tags = {"dagster/data_version": version, **tags}
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=partition, tags=tags))


def checked(instance, passed):
    instance.report_runless_asset_event(dg.AssetCheckEvaluation(asset_key=RAW, check_name="finite", passed=passed))


def versions(instance, partition):
    wanted = dg.AssetRecordsFilter(RAW, asset_partitions=[partition])
    records = instance.fetch_materializations(wanted, limit=100).records
    return [record.asset_materialization.tags["dagster/data_version"] for record in records]


def shown(instance):
    """What the UI has of an asset and of its check."""
    (record,) = instance.get_asset_records([RAW])
    check = dg.AssetCheckKey(RAW, "finite")
    storage = instance.event_log_storage
    return (
        record.asset_entry.last_materialization_storage_id,
        storage.get_latest_storage_id_by_partition(RAW, dg.DagsterEventType.ASSET_MATERIALIZATION),
        storage.get_latest_tags_by_partition(
            RAW, dg.DagsterEventType.ASSET_MATERIALIZATION, tag_keys=["dagster/data_version"]
        ),
        storage.get_latest_asset_check_execution_by_key([check])[check].id,
        storage.get_materialized_partitions(RAW),
    )


def rows(instance):
    """How many rows there are of events without a run, in the index and beside it, and of tags."""
    storage, table = instance.event_log_storage, SqlEventLogStorageTable
    count = db.select(db.func.count()).select_from(table).where(table.c.run_id == "")
    with storage.run_connection("") as connection:
        beside = connection.execute(count).scalar()
    with storage.index_connection() as connection:
        tags = connection.execute(db.select(db.func.count()).select_from(AssetEventTagsTable)).scalar()
        return connection.execute(count).scalar(), beside, tags


def test_old_events_go_and_the_latest_of_each_stay(instance):
    for version in "123":
        for partition in ("one", "two"):
            made(instance, partition, version)
        checked(instance, passed=version == "3")
        made(instance, "one", version, asset="another_projects")
    before = shown(instance)
    assert prune_events.find(instance, 1, 0, OURS)[0] == [], "none is a day old"
    assert len(prune_events.find(instance, 0, 7, OURS)[0]) == 2
    going, kept = prune_events.find(instance, 0, 0, OURS)
    assert len(going) == 6 and sum(kept.values()) == 3
    total, _, tags = rows(instance)
    event_tables.remove(instance, going)
    assert rows(instance) == (total - 6, total - 6, tags - 4)
    assert shown(instance) == before and versions(instance, "one") == versions(instance, "two") == ["3"]
    history = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(RAW, "finite"), limit=10)
    assert [each.id for each in history] == [before[3]]
    assert prune_events.find(instance, 0, 0, OURS)[0] == []
    made(instance, "one", "4")
    assert versions(instance, "one") == ["4", "3"]


def test_killed_between_the_two_places_the_next_ends_it(tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        made(instance, "one", "1")
        made(instance, "one", "2")
        with instance.event_log_storage.run_connection("") as connection:
            connection.execute(SqlEventLogStorageTable.delete().where(SqlEventLogStorageTable.c.id == 1))
        event_tables.remove(instance, prune_events.find(instance, 0, 0, OURS)[0])
        assert rows(instance)[:2] == (1, 1) and versions(instance, "one") == ["2"]


def test_what_is_older_goes_and_what_is_younger_stays(instance, monkeypatch):
    for version in "123":
        made(instance, "one", version)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * prune_events.DAY)
    assert len(prune_events.find(instance, 1.9, 0, OURS)[0]) == 2 and prune_events.find(instance, 2.1, 0, OURS)[0] == []


@pytest.mark.system
def test_what_runs_have_made_counts_and_stays(tmp_path):
    """An event outside is no more the latest where a run has made the partition since; and a run's events are its own."""
    project = tiny.create_finished(tmp_path)
    with tiny.dagster_home(project) as instance:
        made(instance, "one", "old")
        run = tiny.materialize(project, instance, "raw", keys=("one",)).run_id
        checked(instance, passed=True)
        event_tables.remove(instance, prune_events.find(instance, 0, 0, OURS)[0])
        (record,) = instance.fetch_materializations(dg.AssetRecordsFilter(RAW), limit=10).records
        assert record.run_id == run and instance.all_logs(run)


@pytest.mark.parametrize("outside", some([True, False], True))
def test_what_was_made_again_with_the_same_data_does_not_make_the_others_stale(tmp_path, outside):
    """The UI asks what the input was when the asset was made: that event stays, of no run or of one."""
    project = tiny.create_finished(tmp_path)

    def make(*names):
        if outside:
            tiny.dvc_repro(project, *names)
            defs = tiny.build(project)
            os.utime(project / "dvc.lock", (1e9, 1e9))
            with dg.build_sensor_context(instance) as context:
                defs.resolve_sensor_def("plain_dvc_runs").evaluate_tick(context)
        else:
            for name in names:
                for key in ("one", "two") if name == "raw" else ("one|sum",):
                    assert tiny.materialize(project, instance, name, keys=(key,)).success

    with tiny.dagster_home(project) as instance:
        make("raw", "features")
        with (project / "pipelines/step.py").open("a") as file:
            file.write("\n# another word, and the same bytes\n")
        make("raw")
        fresh = tiny.stale(project, instance)
        prune.remove(instance, prune.find(instance, 0, 0)[0])
        event_tables.remove(instance, prune_events.find(instance, 0, 0, OURS)[0])
        assert tiny.stale(project, instance) == fresh


@pytest.mark.system
def test_the_command_counts_them_and_does_it(tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        made(instance, "one", "1")
        made(instance, "one", "2")
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "DAGSTER_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "assets.prune", "--keep-days", "0", "--keep-last", "0"]
        for yes, left in ([], 2), (["--yes"], 1):
            done = subprocess.run([*command, *yes], env=environment, capture_output=True, text=True, check=True)
            assert "Dagster's events of runs outside it: 1 to delete\n  1 kept: the latest" in done.stdout
            assert len(versions(instance, "one")) == left


def test_an_event_log_that_is_not_known_is_left_alone(tmp_path, monkeypatch, capsys):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        made(instance, "one", "1")
        made(instance, "one", "2")
        monkeypatch.setattr(event_tables, "SqlEventLogStorage", ConsolidatedSqliteEventLogStorage)
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
        monkeypatch.setattr(sys, "argv", ["prune", "--keep-days", "0", "--keep-last", "0", "--yes"])
        prune.main()
        assert "all kept, because the tables of this event log are not known" in capsys.readouterr().out
        assert len(versions(instance, "one")) == 2
