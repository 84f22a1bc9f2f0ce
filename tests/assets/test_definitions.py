"""The whole of it: a change of the graph is seen here; names resolve; nothing heavy is imported."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from assets import location
from assets.build import build

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
PROJECT = Path(__file__).parents[2]
CHECKS = {
    "manifest": "schema no_group_in_two_splits no_exact_copy_in_two_splits class_balance copies_have_one_label "
    "labels_can_be_told_apart no_class_lost_every_clip",
    "audio": "schema every_clip_accounted_for nothing_quarantined no_class_lost_every_clip no_clip_clipped_throughout",
    "features": "schema every_clip finite",
    "notes": "schema no_group_in_two_splits no_exact_copy_in_two_splits class_balance copies_have_one_label "
    "labels_can_be_told_apart no_class_lost_every_piece every_piece_accounted_for nothing_quarantined",
    "symbols": "schema every_piece finite",
    "train": "better_than_chance finite_weights",
    "export": "equals_PyTorch",
    "embed": "schema every_clip finite not_collapsed",
    "baseline": "schema every_clip finite not_collapsed",
    "copies": "schema near_copies_are_few",
    "cluster": "better_than_chance distances_tell_clips_apart",
    "study": "a_probe_finds_more_than_the_majority",
    "leaks": ("no_exact_copy_across_splits no_near_copy_across_splits no_work_or_artist_across_splits no_copies"),
    "space": "every_clip_has_a_role",
    "ood": "every_clip_is_placed like_the_training_music",
    "degrade": "schema every_clip finite",
    "robustness": "what_clean_clips_show_is_shown_by_changed_ones",
    "tagging": "better_than_the_baseline guards",
    "score": "better_than_the_baseline guards",
    "page": "every_figure_has_its_lineage under_8_MB",
    "task_page": "every_figure_has_its_lineage under_8_MB",
    "report": "every_figure_has_its_lineage under_8_MB",
}
MODELS = {"train", "export", "fit"}
EVALUATION = {
    "cluster",
    "study",
    "leaks",
    "space",
    "ood",
    "degrade",
    "robustness",
    "tagging",
    "score",
    "compare",
    "metrics",
    "page",
    "task_page",
    "report",
}
TRAINED = MODELS | {"embed"} | EVALUATION
ASSETS = TRAINED | {"copies", "raw", "manifest", "audio", "features", "baseline", "notes", "symbols"}


@pytest.fixture(scope="module")
def defs():
    found = build(PROJECT)
    dg.Definitions.validate_loadable(found)
    return found


def names(keys):
    return {key.to_user_string() for key in keys}


def test_everything_there_is(defs):
    repository = defs.get_repository_def()
    assert names(defs.resolve_asset_graph().get_all_asset_keys()) == ASSETS | {"champion"}
    found = {}
    for key in repository.asset_graph.asset_check_keys:
        found.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    assert found == {asset: set(checks.split()) for asset, checks in CHECKS.items()}
    assert {job.name for job in defs.jobs} == {"demo", "prune_old", "retrain", "retrain_and_promote", "study"}
    assert set(defs.resolve_job_def("demo").graph.node_dict) == ASSETS
    assert set(defs.resolve_job_def("retrain").graph.node_dict) == TRAINED
    assert set(defs.resolve_job_def("study").graph.node_dict) == {
        "study",
        "leaks",
        "ood",
        "degrade",
        "robustness",
        "metrics",
        "page",
        "report",
    }
    assert {(schedule.name, schedule.cron_schedule, schedule.job_name) for schedule in repository.schedule_defs} == {
        ("weekly_retrain", "0 3 * * 1", "retrain_and_promote"),
        ("weekly_prune", "0 5 * * 0", "prune_old"),
    }
    assert {schedule.default_status for schedule in repository.schedule_defs} == {dg.DefaultScheduleStatus.STOPPED}
    assert {sensor.name: sensor.default_status for sensor in repository.sensor_defs} == {
        "plain_dvc_runs": dg.DefaultSensorStatus.RUNNING,  # it only tells
        "new_data": dg.DefaultSensorStatus.STOPPED,
        "keep_up": dg.DefaultSensorStatus.STOPPED,
        "alerts": dg.DefaultSensorStatus.STOPPED,
    }
    for described in (*defs.jobs, *repository.schedule_defs, *repository.sensor_defs, *defs.resolve_all_asset_specs()):
        assert len(described.description) > 30 and "pipeline" not in described.description.lower()


def test_string_selections_resolve(defs):
    """DVC brings in hydra-core, whose 1.3 pins an antlr4 under which every one of these dies."""
    graph = defs.resolve_asset_graph()

    def select(text):
        return names(dg.AssetSelection.from_string(text).resolve(graph))

    assert select("*") == ASSETS
    assert select('key:"report"') == {"report"}
    assert select('+key:"manifest"') == {"raw", "manifest"}
    assert select("group:models+") == TRAINED | {"champion"}
    assert select('owner:"team:data"') == {"raw", "manifest", "audio", "notes"}
    assert select("kind:html") == {"page", "task_page", "report"}
    job = dg.define_asset_job("x", 'key:"raw"+ and group:music')
    schedule = dg.ScheduleDefinition(name="y", target='key:"report"', cron_schedule="@daily")
    extended = dg.Definitions.merge(defs, dg.Definitions(jobs=[job], schedules=[schedule]))
    assert names(extended.resolve_job_def("x").asset_layer.executable_asset_keys) == {"raw", "manifest", "audio"}


def test_every_asset_is_materialized_by_the_ui_with_its_checks(defs):
    job = defs.resolve_implicit_global_asset_job_def()
    for name in ASSETS:
        steps = {step for step in job.get_subset(asset_selection={dg.AssetKey(name)}).graph.node_dict}
        assert steps == {name} | ({f"{name}_checks"} if name in CHECKS else set())


def test_assets_import_the_recipe_and_operations_alone_and_nothing_heavy():
    allowed = (
        "pipelines.recipe",
        "pipelines.ops.",
        "pipelines.core.params",
        "pipelines.core.paths",
        "pipelines.report.drawing.draw",
    )
    for path in (PROJECT / "assets").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipelines"):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                assert all(name.startswith(allowed) for name in names), f"{path.name} imports {names}"
    code = "import sys, assets.definitions; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {"torch", "librosa", "sklearn", "scipy", "matplotlib", "pandas", "pyarrow", "lightning", "music21", "numpy"}
    assert not loaded & heavy
    light = ("pipelines.recipe", "pipelines.core", "pipelines.ops")
    assert not [name for name in loaded if name.startswith("pipelines.") and not name.startswith(light)]


def test_settings_for_dagster_itself(defs, tmp_path, monkeypatch):
    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with dg.DagsterInstance.get() as instance:
        assert not instance.telemetry_enabled and not instance.nux_enabled
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
    assert all(node.definition.pool == "dvc" for node in defs.resolve_job_def("demo").graph.nodes)


def test_every_way_in_gives_the_code_location_the_same_name():
    """By which it is known whose a run is, in a home of Dagster's that has other projects' too."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert settings["tool"]["dg"]["project"]["code_location_name"] == location.NAME
    for file in ("workspace.yaml", "deploy/workspace.yaml"):
        (found,) = yaml.safe_load((PROJECT / file).read_text())["load_from"]
        assert [of["location_name"] for of in found.values()] == [location.NAME]
