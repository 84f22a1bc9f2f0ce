"""Asset checks say what the records say, over all partitions, and open the tables."""

import json

import dagster as dg
import pytest
from tiny_project import create, dagster_home, materialize

from assets import checks, recipe
from assets.build import build


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = create(tmp_path_factory.mktemp("finished") / "project")
    with dagster_home(project) as instance:
        yield project, instance, materialize(project, instance, "raw", keys=("one", "two"))


def results(project):
    return {result.check_name: result for result in checks.results(project, recipe.load(project)["raw"])}


def test_they_come_with_a_materialization(finished):
    _, _, run = finished
    found = {e.check_name: e for e in run.get_asset_check_evaluations()}
    assert {name: e.passed for name, e in found.items()} == {"schema": True, "finite": True, "balance": False}
    assert found["balance"].severity == dg.AssetCheckSeverity.WARN
    assert found["schema"].severity == dg.AssetCheckSeverity.ERROR
    assert found["balance"].description == "1 of 2 failed. two: 4 clips"
    rows = [record.data for record in found["balance"].metadata["findings"].records]
    assert rows[1] == {"partition": "two", "finding": "balance of style", "holds": "no", "detail": "4 clips"}


def test_they_can_be_made_alone(finished):
    project, instance, _ = finished
    job = build(project).resolve_implicit_global_asset_job_def()
    alone = job.get_subset(asset_check_selection={dg.AssetCheckKey(dg.AssetKey("raw"), "finite")})
    run = alone.execute_in_process(instance=instance)
    assert [e.check_name for e in run.get_asset_check_evaluations()] == ["finite"]
    assert not [event for event in run.all_events if event.is_step_materialization]


def test_a_table_that_is_not_the_records_fails(finished):
    import pyarrow as pa
    import pyarrow.parquet as pq

    project, _, _ = finished
    table = project / "data/raw/one/numbers.parquet"
    before = table.read_bytes()
    table.unlink()
    pq.write_table(pa.table({"x": ["a", "b", "c"]}), table)
    found = results(project)["schema"]
    assert not found.passed and "one: no table has 3 rows and x (int64)" in found.description
    table.write_bytes(b"not a table")
    assert "one: data/raw/one/numbers.parquet cannot be read" in results(project)["schema"].description
    table.write_bytes(before)
    assert results(project)["schema"].passed


def test_a_record_that_is_not_the_locked_one_says_nothing(finished):
    project, _, _ = finished
    record = project / "data/records/raw/two.json"
    before = record.read_bytes()
    record.unlink()
    record.write_text(json.dumps({**json.loads(before), "checks": {}}))
    found = results(project)
    assert not any(result.passed for result in found.values())
    assert "the record of this run is missing" in found["finite"].description
    record.write_bytes(before)


def test_what_no_record_speaks_of_does_not_pass(tmp_path):
    project = create(tmp_path)
    assert {result.description for result in results(project).values()} == {"not materialized yet"}
    assert not any(result.passed for result in results(project).values())
