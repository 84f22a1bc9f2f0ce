"""The real recipe with several datasets and taggers, its stages replaced by stand-ins: what a change makes run."""

import sys

import pytest
from helpers import PROJECT, run_in

from pipelines.ops.dvc import freshness

sys.path.append(str(PROJECT))  # benchmarks/ is no part of the installed package


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    from benchmarks.wide.project import make

    folder = tmp_path_factory.mktemp("wide") / "project"
    make(folder, 3, 4)  # of log-mel three, one of the waveform
    return folder


def test_a_changed_dataset_runs_its_own_branch_alone(wide):
    assert {state.state for state in freshness.states(wide).values()} == {freshness.FRESH}
    params = (wide / "params.yaml").read_text()
    assert params.count("seed: 1\n") == 1
    (wide / "params.yaml").write_text(params.replace("seed: 1\n", "seed: 11\n"))
    due = {name for name, state in freshness.states(wide).items() if state.state != freshness.FRESH}
    assert due >= {"raw@set_001", "embed@set_001-fcn", "cluster@set_001"}
    assert {name for name in due if "set_001" not in name} == {"metrics", "report"}
    said = run_in(wide, sys.executable, "-m", "pipelines.cli", "run").stdout
    ran = {line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage")}
    assert ran == due
    assert "Data and pipelines are up to date" in run_in(wide, sys.executable, "-m", "dvc", "status").stdout
    stages = len(freshness.states(wide))
    assert f"Nothing to do: all {stages} stages" in run_in(wide, sys.executable, "-m", "pipelines.cli", "run").stdout
