"""Materializing runs DVC and tells Dagster what DVC recorded, for all, one or some partitions."""

import shutil
from pathlib import Path

import dagster as dg
import pytest
import yaml
from tiny_project import create, dagster_home, edit, events, materialize, run_job, stale

from assets.build import build

ALL = {("raw", "one"), ("raw", "two"), ("train", "short"), ("report", None)} | {
    ("features", f"{dataset}|{feature}") for dataset in ("one", "two") for feature in ("sum", "product")
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The tiny project after the job `demo`, and the run's events."""
    project = create(tmp_path_factory.mktemp("finished") / "project")
    with dagster_home(project) as instance:
        result = run_job(project, instance, "demo")
        assert result.success
    return project, result


@pytest.fixture
def copy(finished, tmp_path):
    """A finished tiny project to change, and its Dagster."""
    project = Path(shutil.copytree(finished[0], tmp_path / "project"))
    with dagster_home(project) as instance:
        yield project, instance


def locked(project):
    return yaml.safe_load((project / "dvc.lock").read_text())["stages"]


def stage_name(asset, partition):
    return f"{asset}@{partition.replace('|', '-')}" if partition else asset


def test_data_versions_are_dvcs_hashes(finished):
    project, result = finished
    said = events(result)
    assert set(said) == ALL
    for (asset, partition), event in said.items():
        outs = locked(project)[stage_name(asset, partition)]["outs"]
        data = next(out for out in outs if "records" not in out["path"])
        assert event.tags["dagster/data_version"] == data["md5"]
    assert len({event.tags["dagster/data_version"] for (asset, _), event in said.items() if asset == "features"}) == 4
    codes = {event.tags["dagster/code_version"] for event in said.values()}
    assert len(codes) == len(said), "each command is another"


def test_a_job_gives_the_checks_too(finished):
    found = [e for e in finished[1].all_events if e.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION]
    data = [event.asset_check_evaluation_data for event in found]
    assert {(one.asset_key.to_user_string(), one.check_name, one.passed) for one in data} == {
        ("raw", "schema", True),
        ("raw", "finite", True),
        ("raw", "balance", False),
        ("features", "finite", True),
    }


def test_metadata_comes_from_the_record_and_the_lock(finished):
    project, result = finished
    shown = events(result)["raw", "one"].metadata
    assert shown["status"].text.startswith("ran in ") and shown["wall time (s)"].value > 0
    figures = [shown[name].value for name in ("clips", "share", "source", "whole")]
    assert figures == [3, 0.5, "made here", True]
    assert shown["dagster/row_count"].value == 3
    column = shown["dagster/column_schema"].value.columns[0]
    assert (column.name, column.type, column.description) == ("x", "int64", "a number [Hz]")
    assert shown["curve"].value.startswith("![curve](data:image/png;base64,")
    assert shown["map"].value.startswith("![map](data:image/svg+xml;base64,")
    assert [row.data for row in shown["letters"].records] == [{"a": "1", "b": "2"}] and "note" not in shown
    assert [row.data["finding"] for row in shown["findings"].records] == ["finite", "balance of style"]
    md5 = locked(project)["raw@one"]["outs"][0]["md5"]
    assert f"| `data/raw/one` | `{md5}` |" in shown["hashes"].value
    assert '`{"n": 3}`' in shown["made with"].value and "pipelines/step.py" in shown["made by"].value
    page = events(result)["report", None].metadata
    assert page["page"].value == str(project / "reports/index.html")
    assert (project / "reports/index.html").as_uri() in page["open it"].value


def test_output_is_in_the_log_as_it_comes(finished, copy):
    _, instance = copy
    log = [entry.user_message for entry in instance.all_logs(finished[1].run_id) if entry.step_key == "raw"]
    wanted = ["Running stage 'raw@one':", "raw one: 50%", "raw one: 100%", "Running stage 'raw@two':", "raw@two: "]
    places = [next(n for n, line in enumerate(log) if line.startswith(text)) for text in wanted]
    assert places == sorted(places)
    assert not any("pipelines are up to date" in line or "dvc push" in line for line in log)


def test_nothing_is_out_of_date_and_a_second_run_skips(copy):
    project, instance = copy
    assert stale(project, instance) == {}
    result = run_job(project, instance, "demo")
    said = events(result)
    assert set(said) == ALL
    assert {event.metadata["status"].text for event in said.values()} == {"unchanged, not run"}
    assert said["raw", "one"].metadata["clips"].value == 3, "the record is shown all the same"
    assert stale(project, instance) == {}


def test_one_partition(copy):
    project, instance = copy
    edit(project / "params.yaml", "n: 3", "n: 5")
    result = materialize(project, instance, "raw", keys=("one",))
    assert result.success and set(events(result)) == {("raw", "one")}
    assert events(result)["raw", "one"].metadata["clips"].value == 5
    assert set(stale(project, instance)) == {("features", "one|sum"), ("features", "one|product")}
    result = materialize(project, instance, "features", keys=("one|sum",))
    assert set(events(result)) == {("features", "one|sum")}
    found = stale(project, instance)
    assert ("features", "one|product") in found and ("features", "one|sum") not in found


@pytest.mark.system
def test_several_partitions_are_one_dvc_call(copy):
    project, instance = copy
    edit(project / "params.yaml", "sum: {}", "sum: {a: 1}")
    result = materialize(project, instance, "features", keys=("one|sum", "two|product"))
    statuses = {key: event.metadata["status"].text for key, event in events(result).items()}
    assert {key for key, status in statuses.items() if "unchanged" in status} == {
        ("features", "one|product"),
        ("features", "two|product"),
    }
    assert {key for key, status in statuses.items() if status.startswith("ran in")} == {
        ("features", "one|sum"),
        ("features", "two|sum"),
    }
    assert stale(project, instance) == {}


def test_a_lost_output_is_restored(copy):
    """And assets after one another in one run: the second is not left out because the first gave no output."""
    project, instance = copy
    (project / "models/short").unlink()
    result = materialize(project, instance, "report", "train", keys=("short",))
    assert result.success and set(events(result)) == {("train", "short"), ("report", None)}
    assert "restored from DVC's cache" in events(result)["train", "short"].metadata["status"].text
    assert (project / "models/short").exists()


def test_a_failure_says_why_and_keeps_what_was_finished(copy):
    project, instance = copy
    edit(project / "params.yaml", "n: 3", "n: 6")
    edit(project / "params.yaml", "n: 4", "n: -1")
    result = materialize(project, instance, "raw", keys=("one", "two"))
    assert not result.success and set(events(result)) == {("raw", "one")}
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    told = failure.user_failure_data.description
    assert "two: there is no file of -1 numbers" in told and "failed to reproduce 'raw@two'" in told
    edit(project / "params.yaml", "n: -1", "n: 4")
    assert materialize(project, instance, "raw", keys=("one", "two")).success


NOT_THERE = "{} is not in the recipe: params.yaml gives {} (if the page offers another, reload the definitions)."


@pytest.mark.parametrize(
    ("asset", "tags", "told"),
    [
        ("raw", {"dagster/partition": "three"}, NOT_THERE.format("raw: dataset 'three'", "one, two")),
        (
            "features",
            {"dagster/partition/dataset": "one", "dagster/partition/feature": "sums"},
            NOT_THERE.format("features: feature 'sums'", "sum, product"),
        ),
        ("raw", {}, "raw has partitions, and this run names none"),
    ],
)
def test_a_partition_that_is_not_in_the_recipe_is_refused_in_words(copy, asset, tags, told):
    """By the run, which a page that knows an older recipe, or the API, may ask for."""
    project, instance = copy
    job = build(project).resolve_implicit_global_asset_job_def().get_subset(asset_selection={dg.AssetKey(asset)})
    run = job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
    (failed,) = [event.step_failure_data for event in run.all_events if event.is_step_failure]
    said = failed.user_failure_data.description if failed.user_failure_data else failed.error.message
    assert not run.success and said.strip().rpartition("Error: ")[2] == told


def test_a_range_of_partitions_that_are_not_in_the_recipe_is_refused_in_words(copy):
    with pytest.raises(
        dg.DagsterUnknownPartitionError, match="'nine' is not in the recipe: params.yaml gives one, two "
    ):
        materialize(*copy, "raw", keys=("one", "nine"))
    with pytest.raises(
        dg.DagsterUnknownPartitionError, match="'nine' is not in the recipe: params.yaml gives one, two "
    ):
        materialize(*copy, "raw", keys=("nine",))


def test_without_what_it_needs_a_stage_fails_with_the_path(tmp_path):
    project = create(tmp_path / "project")
    with dagster_home(project) as instance:
        result = materialize(project, instance, "train", keys=("short",))
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert "data/features/one/sum" in failure.user_failure_data.description
