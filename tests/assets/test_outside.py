"""What was run without Dagster is reported to it: once, with the same events, and nothing that Dagster did itself."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from tiny_project import create, create_finished, dagster_home, dvc_repro, edit, materialize, run_job, stale

from assets import folders, lock, repro, sensors
from assets.build import build
from pipelines import recipe as pipelines_recipe
from pipelines.ops.runs import log, made_by, record


@pytest.fixture
def tiny(tmp_path):
    """A project that was run without Dagster, and a Dagster that knows nothing of it."""
    project = create_finished(tmp_path / "project")
    with dagster_home(project) as instance:
        yield project, instance


def tick(project, instance, cursor=None, defs=None):
    """Evaluate the sensor as its daemon does, long after the last write of dvc.lock. Returns (message, cursor)."""
    if (project / "dvc.lock").exists():
        os.utime(project / "dvc.lock", (1e9, 1e9))
    sensor = (defs or build(project)).resolve_sensor_def("plain_dvc_runs")
    with dg.build_sensor_context(instance, cursor=cursor) as context:
        data = sensor.evaluate_tick(context)
    assert not data.run_requests
    return data.skip_message, data.cursor


def latest(instance, asset, partition=None):
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition] if partition else None)
    return instance.fetch_materializations(wanted, limit=10).records


def test_a_plain_run_is_reported_once(tiny):
    project, instance = tiny
    message, cursor = tick(project, instance)
    assert message.startswith("reported 8: raw@one, raw@two, features@one-sum")
    assert stale(project, instance) == {}
    (record,) = latest(instance, "features", "two|sum")
    assert record.asset_materialization.metadata["clips"].value == 4
    shown = record.asset_materialization.metadata
    when = (project / "data/features/two/sum").stat().st_mtime
    assert shown["status"].text.startswith("run outside Dagster: its output was written 20")
    assert shown["output written"].value == pytest.approx(when) and "finished" not in shown
    check = dg.AssetCheckKey(dg.AssetKey("raw"), "balance")
    assert instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[check].status.value == "FAILED"
    assert tick(project, instance, cursor) == ("dvc.lock has not changed", cursor)
    assert "no new results" in tick(project, instance, None)[0], "the cursor spares work; it is not what is known"
    assert len(latest(instance, "report")) == 1
    edit(project / "params.yaml", "n: 4", "n: 7")
    dvc_repro(project, "raw@two")
    assert tick(project, instance, cursor)[0] == "reported 1: raw@two"
    assert set(stale(project, instance)) == {("features", "two|sum"), ("features", "two|product")}


def test_a_dataset_added_meanwhile_is_reported_when_the_definitions_are_loaded_again(tiny):
    project, instance = tiny
    before = build(project)
    _, cursor = tick(project, instance, defs=before)
    edit(project / "params.yaml", "  two: {n: 4}", "  two: {n: 4}\n  three: {n: 5}")
    dvc_repro(project, "raw@three")
    message, cursor = tick(project, instance, cursor, defs=before)
    assert message == "dvc.lock has no new results"
    assert tick(project, instance, cursor)[0] == "reported 1: raw@three"


def test_what_dagster_ran_is_not_reported_again(tiny):
    project, instance = tiny
    run_job(project, instance, "demo")
    assert tick(project, instance)[0] == "dvc.lock has no new results"


def test_a_look_at_what_has_not_changed_asks_nothing(tiny, monkeypatch):
    project, instance = tiny
    _, cursor = tick(project, instance)
    monkeypatch.setattr(lock, "read", None)
    monkeypatch.setattr(type(instance), "get_runs_count", None)
    assert tick(project, instance, cursor) == ("dvc.lock has not changed", cursor)


def test_many_stages_are_reported_in_several_looks_and_each_once(tiny, monkeypatch):
    project, instance = tiny
    monkeypatch.setattr(sensors, "MOST", 3)
    said, cursor = [], None
    for _ in range(4):
        message, cursor = tick(project, instance, cursor)
        said.append(message.partition(":")[0])
    assert said == ["reported 3", "reported 3", "reported 2", "dvc.lock has not changed"]
    assert stale(project, instance) == {} and len(latest(instance, "features", "two|sum")) == 1


def test_who_ran_it_and_when_comes_from_the_record_of_the_run(tiny, monkeypatch):
    """Not from the time of the look; of an entry that two runs came to, the later one."""
    project, instance = tiny
    digest = pipelines_recipe.digest(lock.read(project)["raw@one"])
    told = {"stage": "raw@one", "entry": digest, "host": "attic", "what": made_by.MADE, "seconds": 61.5}
    lines = [
        told | {"time": "2026-01-02T03:04:05+00:00", "run": "r1", "door": "Dagster run 1"},
        told | {"time": "2026-02-03T04:05:06+00:00", "run": "r2", "door": "conservatory run"},
    ]
    record.append(log.folder(project) / made_by.FILE, lines, made_by.MAX_BYTES)
    ran = {"time": lines[1]["time"], "run": "r2", "what": record.STAGE, "stage": "raw@one", "state": "ran"}
    record.add(project, [ran | {"items": 30, "unit": "clip", "per_second": 2.5}])
    tick(project, instance)
    (event,) = latest(instance, "raw", "one")
    shown = event.asset_materialization.metadata
    said = "run outside Dagster: conservatory run on attic finished it 2026-02-03 04:05 UTC"
    assert event.asset_materialization.description == shown["status"].text == said
    assert shown["finished"] == dg.MetadataValue.timestamp(datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert (shown["wall time (s)"].value, shown["run: clips"].value, shown["run: clips a second"].value) == (
        61.5,
        30,
        2.5,
    )
    # and so where Dagster finds it up to date
    assert materialize(project, instance, "raw", keys=("one",)).success
    again = latest(instance, "raw", "one")[0].asset_materialization.metadata
    assert again["status"].text == "unchanged, not run" and again["finished"] == shown["finished"]


@pytest.mark.parametrize("lost", ["data/raw/one", "data/records/raw/one.json"])
def test_what_is_not_here_is_reported_when_it_is(tiny, lost):
    """A clone has dvc.lock before it has results, and a run there leaves dvc.lock as it is: its figures must be seen then."""
    project, instance = tiny
    (project / lost).rename(project / "elsewhere")
    message, cursor = tick(project, instance)
    assert message.startswith("reported 7: raw@two") and latest(instance, "raw", "one") == []
    assert tick(project, instance, cursor)[0] == "dvc.lock has no new results"
    (project / "elsewhere").rename(project / lost)
    message, cursor = tick(project, instance, cursor)
    assert message == "reported 1: raw@one"
    assert latest(instance, "raw", "one")[0].asset_materialization.metadata["clips"].value == 3
    assert tick(project, instance, cursor)[0] == "dvc.lock has not changed"


def test_another_record_than_the_locked_one_is_waited_for(tiny):
    project, instance = tiny
    record_of = project / "data/records/raw/one.json"
    text = record_of.read_text()
    record_of.unlink()  # a link to DVC's cache, perhaps
    record_of.write_text(text.replace("made here", "made elsewhere"))
    assert tick(project, instance)[0].startswith("reported 7: raw@two")


@pytest.mark.system
def test_a_materialization_tells_of_what_it_reads_first(tiny):
    """So that an asset is not called out of date because its inputs became known after it."""
    project, instance = tiny
    tick(project, instance)
    edit(project / "params.yaml", "n: 3", "n: 9")
    dvc_repro(project, "raw@one")
    assert materialize(project, instance, "features", keys=("one|sum", "one|product")).success
    assert [r.asset_materialization.metadata["clips"].value for r in latest(instance, "raw", "one")] == [9, 3]
    assert set(stale(project, instance)) == {("train", "short"), ("report", None)}


@pytest.mark.system
def test_it_waits_while_stages_run(tiny):
    project, instance = tiny
    (project / "dvc.lock").touch()
    sensor = build(project).resolve_sensor_def("plain_dvc_runs")
    with dg.build_sensor_context(instance) as context:
        assert sensor.evaluate_tick(context).skip_message == "dvc.lock is being written"
    job = build(project).resolve_job_def("demo")
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert tick(project, instance)[0].startswith("a Dagster run is in progress")
    instance.report_run_failed(run)
    assert tick(project, instance)[0].startswith("reported 8")


def test_before_the_first_run_there_is_nothing_to_report(tmp_path):
    project = create(tmp_path)
    with dagster_home(project) as instance:
        assert tick(project, instance) == ("no stage has run yet: there is no dvc.lock", None)


def test_a_torn_lock_is_left_for_later(tiny):
    project, instance = tiny
    defs = build(project)
    (project / "dvc.lock").write_text("stages: {raw@one: [")
    assert "cannot be read" in tick(project, instance, defs=defs)[0]


@pytest.mark.system
def test_retrain_brings_up_what_it_needs_and_tells_of_it(tiny):
    project, instance = tiny
    edit(project / "params.yaml", "n: 3", "n: 11")
    assert run_job(project, instance, "retrain").success
    assert latest(instance, "raw", "one")[0].asset_materialization.metadata["clips"].value == 11
    assert latest(instance, "train", "short")[0].asset_materialization.metadata["status"].text.startswith("ran in")
    tick(project, instance)
    assert stale(project, instance) == {}


def test_folders_of_the_users_own_are_looked_at(tiny, monkeypatch):
    project, _ = tiny
    assert folders.fingerprinted(project) == set()
    edit(project / "params.yaml", "one: {n: 3}", "one: {n: 3, fingerprint: abc}")
    assert folders.fingerprinted(project) == {"one"}
    monkeypatch.setattr(folders, "COMMAND", [sys.executable, "-c", "print('one: has changed')"])
    said = []
    folders.refresh(project, {"two"}, said.append)
    assert said == []
    folders.refresh(project, {"one"}, said.append)
    folders.refresh(project, None, said.append)
    assert said == ["one: has changed"] * 2
    monkeypatch.setattr(folders, "COMMAND", [sys.executable, "-c", "import sys; sys.exit('the folder is empty')"])
    with pytest.raises(repro.StageError, match="the folder is empty"):
        folders.refresh(project, None, said.append)


def test_the_command_for_folders_exists():
    command = [*folders.COMMAND, "--help"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("section", ["encoders", "views"])
def test_files_of_encoders_and_views_are_watched(tmp_path, section):
    """Vectors or words from elsewhere: the sensor sees other bytes and a missing file; a run records the fingerprint first."""
    project, place = tmp_path, tmp_path / "vectors.parquet"
    place.write_bytes(b"one")
    file = {"path": str(place), "fingerprint": ""}
    entry = (
        {"kind": "vectors", "files": {"one": file}}
        if section == "encoders"
        else {"dataset": "one", "kind": "words", **file}
    )
    (project / "params.yaml").write_text(json.dumps({section: {"clap": entry}}))
    assert folders.fingerprinted(project) == {"clap"}
    before, n = folders.signature(project)
    place.write_bytes(b"other")
    assert folders.signature(project)[0] != before and n == folders.signature(project)[1]
    place.unlink()
    assert str(place) in folders.away(project)
