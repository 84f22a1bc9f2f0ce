"""Dagster's home, runs that a crash cut off, and stages that must not outlive who asked for them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap

import dagster as dg
import pytest
import yaml
from helpers import PROJECT
from tiny_project import create, create_finished, dagster_home, edit, materialize

from assets import repro, serve
from assets.build import build
from assets.patches import run_server

SLOW = "import json, os, sys, time\nprint('pid', os.getpid(), flush=True)\nif not os.path.exists('go'): time.sleep(99)"


@pytest.fixture
def slow(tmp_path):
    """A tiny project whose stages say their process's number and wait."""
    project = create(tmp_path / "project")
    edit(project / "pipelines/step.py", "import json, sys", SLOW)
    return project


def test_history_survives_a_restart(tmp_path):
    project = create_finished(tmp_path / "project")
    shutil.copy(PROJECT / "dagster.yaml", project)
    for _ in range(2):
        settings = yaml.safe_load((serve.prepare(project) / "dagster.yaml").read_text())
        assert settings["storage"]["sqlite"]["base_dir"] == str(project / ".dagster")
    with dagster_home(project) as instance:
        materialize(project, instance, "report")
    with dagster_home(project) as later:
        event = later.get_latest_materialization_event(dg.AssetKey("report"))
        assert event.asset_materialization.metadata["status"].text == "unchanged, not run"
        assert later.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])) == 1


def test_runs_that_were_cut_off_are_failed(tmp_path):
    project = create(tmp_path)
    job = build(project).resolve_job_def("demo")
    with dagster_home(project) as instance, socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "alive"))
        server.listen()

        def run(**server):
            tags = {run_server.TAG: json.dumps({"host": "localhost", **server})} if server else {}
            return instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags).run_id

        alive, unknown = run(socket=str(tmp_path / "alive")), run()
        gone = {run(socket=str(tmp_path / "gone")), run(port=9)}
        assert set(serve.fail_cut_off_runs(instance)) == gone
        status = {record.run_id: record.status for record in instance.get_runs()}
        assert {status[name] for name in gone} == {dg.DagsterRunStatus.FAILURE}
        assert {status[alive], status[unknown]} == {dg.DagsterRunStatus.STARTED}


@pytest.mark.fault
@pytest.mark.cold
def test_an_interrupted_run_leaves_no_process_and_no_lock(slow):
    said = []

    def say(line):
        said.append(line)
        if line.startswith("pid"):
            raise KeyboardInterrupt  # as Dagster does when a run is terminated

    with pytest.raises(KeyboardInterrupt):
        list(repro.repro(slow, ["raw@one"], say))
    with pytest.raises(ProcessLookupError):
        os.kill(int(said[-1].split()[1]), 0)
    (slow / "go").touch()
    assert [done.stage for done in repro.repro(slow, ["raw@one"], said.append)] == ["raw@one"]


@pytest.mark.fault
@pytest.mark.cold
def test_a_killed_run_leaves_no_process(slow):
    code = f"""
        from pathlib import Path
        from assets import repro
        list(repro.repro(Path({str(slow)!r}), ["raw@one"], lambda line: print(line, flush=True)))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    asker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = next(line for line in asker.stdout if line.startswith("pid"))
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    # waits for DVC's lock, which the guard must have released
    (slow / "go").touch()
    assert [done.stage for done in repro.repro(slow, ["raw@one"], lambda _: None)] == ["raw@one"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(line.split()[1]), 0)
