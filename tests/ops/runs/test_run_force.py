"""`conservatory run --force`: the named stages are run once more, on what they need as it should be."""

import sys
from pathlib import Path

import pytest
from helpers import run_in

sys.path.append(str(Path(__file__).parents[2] / "assets"))
import tiny_project as tiny

COMMAND = (sys.executable, "-m", "pipelines.cli", "run")
RUNNING = "Running stage '"


@pytest.fixture
def project(tmp_path):
    return tiny.create_finished(tmp_path / "project")


def ran(project, *arguments, check=True):
    """The stages whose commands were run, in order, and all that was said."""
    done = run_in(project, *COMMAND, *arguments, check=check, PYTHONPATH=str(Path(__file__).parents[3]))
    lines = [line.partition(RUNNING)[2] for line in done.stdout.splitlines() if line.startswith(RUNNING)]
    return [line.rstrip("':") for line in lines], done


def test_what_a_forced_stage_needs_is_brought_up_to_date_first(project):
    tiny.edit(project / "params.yaml", "n: 3", "n: 9")
    stages, done = ran(project, "--force", "train@short")
    assert stages == ["raw@one", "features@one-sum", "train@short"]
    assert (project / "models/short").read_text() == "one-sum 9"
    assert "3 stages ran, 0 were up to date already" in done.stdout


@pytest.mark.system
def test_it_alone_runs_where_the_rest_is_as_it_should_be(project):
    stages, done = ran(project, "--force", "train@short")
    assert stages == ["train@short"]
    assert "1 stage ran, 2 were up to date already; the outputs are the same as before" in done.stdout
    assert ran(project)[0] == [], "and nothing after it is stale"
    assert ran(project, "--force", "features")[0] == [
        f"features@{dataset}-{kind}" for dataset in ("one", "two") for kind in ("sum", "product")
    ]


@pytest.mark.system
def test_what_lies_between_two_forced_stages_follows_the_first(project):
    """Named in whatever order; and what is not between them is left to the next run."""
    assert ran(project, "--force", "report", "features@one-sum")[0] == ["features@one-sum", "report"]
    tiny.edit(project / "params.yaml", "n: 3", "n: 9")
    between = {"features@one-sum", "features@one-product"}
    stages, _ = ran(project, "--force", "train", "raw@one")
    assert stages == ["raw@one", "features@one-sum", "train@short"]
    assert (project / "models/short").read_text() == "one-sum 9"
    stages, _ = ran(project, "--force", "report", "raw@one")
    assert stages[0] == "raw@one" and stages[-1] == "report" and set(stages[1:-1]) == between - {"features@one-sum"}


def test_a_failure_before_it_stops_there(project):
    tiny.edit(project / "params.yaml", "n: 3", "n: -1")
    before = (project / "models/short").read_text()
    stages, done = ran(project, "--force", "train@short", check=False)
    assert stages == ["raw@one"] and done.returncode and "Stopped after" in done.stdout
    assert (project / "models/short").read_text() == before


def test_a_stage_that_is_none_of_the_group_is_said(project):
    _, done = ran(project, "--force", "train@tall", check=False)
    assert done.returncode and "train@tall" in done.stdout + done.stderr
