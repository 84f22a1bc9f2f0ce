"""What Dagster would do by itself: nothing until it is told to, and then what has other inputs than before."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from tiny_project import create_finished, dagster_home, dvc_repro, edit

from assets import events, external_runs, lock, recipe
from assets.build import build

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
MORNING = datetime(2026, 5, 4, 1, 0, tzinfo=UTC)


@pytest.fixture
def tiny(tmp_path):
    project = create_finished(tmp_path / "project")
    with dagster_home(project) as instance:
        report(project, instance)
        yield project, instance


def report(project, instance):
    entries = lock.read(project)
    external_runs.report(instance, project, recipe.load(project), entries, set(entries))


def look(project, instance, cursor=None, after=timedelta()):
    """One evaluation of all conditions. Returns ({asset: partitions asked for}, cursor)."""
    result = dg.evaluate_automation_conditions(build(project), instance, cursor=cursor, evaluation_time=MORNING + after)
    asked = {}
    for found in result.results:
        if not found.true_subset.is_empty:
            keys = {pair.partition_key for pair in found.true_subset.expensively_compute_asset_partitions()}
            asked[found.key.to_user_string()] = keys - {None}
    return asked, result.cursor


def test_an_input_with_other_data_asks_for_what_reads_it(tiny):
    project, instance = tiny
    asked, cursor = look(project, instance)
    assert asked == {}
    edit(project / "params.yaml", "n: 4", "n: 7")
    dvc_repro(project, "-s", "raw@two")
    report(project, instance)
    asked, cursor = look(project, instance, cursor, timedelta(minutes=1))
    assert asked == {"features": {"two|product", "two|sum"}}
    dvc_repro(project, "-s", "features@two-sum", "features@two-product")
    report(project, instance)
    assert look(project, instance, cursor, timedelta(minutes=2))[0] == {"report": set()}


@pytest.mark.system
def test_training_never_starts_by_itself(tiny):
    project, instance = tiny
    _, cursor = look(project, instance)
    edit(project / "params.yaml", "n: 3", "n: 5")
    dvc_repro(project, "-s", "raw@one", "features@one-sum", "features@one-product")
    report(project, instance)
    assert set(look(project, instance, cursor, timedelta(minutes=1))[0]) == {"report"}, "features were made already"


def test_an_input_that_was_looked_at_and_left_alone_asks_for_nothing(tiny):
    project, instance = tiny
    _, cursor = look(project, instance)
    groups = recipe.load(project)
    latest = events.pointers(instance, groups["raw"])
    event = events.materialization(project, groups, groups["raw"].stages[0], lock.read(project), latest, "unchanged")
    instance.report_runless_asset_event(event)
    assert look(project, instance, cursor, timedelta(minutes=1))[0] == {}


def test_folders_are_looked_at_every_night(tiny):
    project, instance = tiny
    _, cursor = look(project, instance)
    asked, cursor = look(project, instance, cursor, timedelta(hours=1, minutes=1))
    assert asked == {"raw": {"one", "two"}}
    assert look(project, instance, cursor, timedelta(hours=1, minutes=2))[0] == {}


@pytest.mark.parametrize("on", [False, True])
def test_one_parameter_turns_it_on(tiny, on):
    project, _ = tiny
    with (project / "params.yaml").open("a") as file:
        file.write(f"registry:\n  automatic: {str(on).lower()}\n")
    defs = build(project)
    sensors = {sensor.name: sensor.default_status for sensor in defs.sensors}
    assert sensors["keep_up"] == (dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED)
    late = {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs() if spec.freshness_policy}
    assert late == ({"raw", "champion"} if on else set())
