"""Old runs of Dagster go with their events and logs; the latest materialization of every partition stays."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import tiny_project as tiny
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.utils import make_new_run_id
from helpers import PROJECT

from assets import automation, prune, pruning
from pipelines.ops.settings import load_params

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")


def elsewhere(instance):
    """A run of another project that has the same home of Dagster's."""
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("elsewhere"), "all"), "job")
    run = dg.DagsterRun("job", run_id=make_new_run_id(), status=dg.DagsterRunStatus.SUCCESS, remote_job_origin=origin)
    return instance.add_run(run).run_id


@pytest.mark.system
def test_superseded_runs_go_and_the_graph_stays_whole(tmp_path):
    project = tiny.create_finished(tmp_path)
    with tiny.dagster_home(project) as instance:
        first, second, third = (
            tiny.materialize(project, instance, "raw", keys=keys).run_id for keys in (("one",), ("two",), ("one",))
        )
        failed = instance.create_run_for_job(tiny.build(project).resolve_job_def("demo")).run_id  # not begun
        latest = prune.latest_runs(instance)
        fresh = tiny.stale(project, instance)
        assert prune.find(instance, 1, 0)[0] == [], "none is a day old"
        assert prune.find(instance, 0, 9)[0] == []
        going, kept = prune.find(instance, 0, 0)
        assert going == [first] and latest == {second, third}
        assert kept["not finished"] == 1
        alien = elsewhere(instance)
        assert prune.find(instance, 0, 0) == (going, {**kept, "of another project": 1})
        instance.compute_log_manager.delete_logs(prefix=[first])  # and killed
        prune.remove(instance, prune.find(instance, 0, 0)[0])
        assert {run.run_id for run in instance.get_runs()} == latest | {failed, alien}
        assert all(not instance.all_logs(run_id) for run_id in going)
        assert tiny.stale(project, instance) == fresh
        assert not {asset for asset, _ in fresh} & {"raw"}
        assert not any((project / ".dagster/storage" / run_id).exists() for run_id in going)
    command = [sys.executable, "-m", "assets.prune", "--keep-days", "0", "--keep-last", "0"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "DAGSTER_HOME": str(project / ".dagster")}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
    assert "0 to delete" in done.stdout and "latest materialization" in done.stdout


def test_the_job_runs_the_command_and_one_parameter_turns_it_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    project = tiny.create(tmp_path)
    result = pruning.job(project).execute_in_process()
    assert result.success and not automation.wanted(load_params(project / "params.yaml"), "retention")
    with (project / "params.yaml").open("a") as file:
        file.write("retention: {automatic: true}\n")
    assert automation.wanted(load_params(project / "params.yaml"), "retention")
    schedules = {each.name: each.default_status for each in tiny.build(project).get_repository_def().schedule_defs}
    assert schedules["weekly_prune"] == dg.DefaultScheduleStatus.RUNNING
    Path(project / "params.yaml").write_text("datasets: {}\nretention: 9\n")
    assert not pruning.job(project).execute_in_process(raise_on_error=False).success
