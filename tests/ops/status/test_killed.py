"""A stage that is killed has failed, whatever DVC's cache still has of it."""

import sys

import pytest
from helpers import PROJECT, run_in
from tiny_project import create_finished, edit

from pipelines.ops.status import gather


@pytest.mark.fault
@pytest.mark.cold
def test_a_forced_stage_that_is_killed_has_failed_although_the_cache_has_what_it_made(tmp_path, monkeypatch):
    """DVC took that away; nothing else is amiss, and no change was undone."""
    project = create_finished(tmp_path / "project")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    def run(*arguments, **variables):
        command = (sys.executable, "-m", "pipelines.cli", "run", *arguments)
        return run_in(project, *command, check=False, PYTHONPATH=str(PROJECT), **variables).returncode

    killer = tmp_path / "killer"
    killer.write_text("#!/bin/sh\necho report: passed; kill -9 $$\n")
    killer.chmod(0o755)
    edit(project / "dvc.yaml", "cmd: python pipelines/step.py report", "cmd: $REPORTER python pipelines/step.py report")
    assert run() == 0
    assert run("--force", "report", REPORTER=str(killer))
    (stage,) = [stage for stage in gather.gather(project)["stages"] if stage["state"] != "fresh"]
    assert (stage["name"], stage["state"]) == ("report", "failed")
    assert stage["reason"] == "it was killed (signal 9: perhaps memory ran out); its last line: report: passed"
    assert run() == 0 and gather.gather(project)["counts"] == {"fresh": 8}
