"""A dataset whose stage fails blocks no other: the rest runs, and the report is made without it."""

import sys

import pytest
from helpers import PROJECT, run_in

from pipelines.ops import due
from pipelines.ops.runs import record

RECIPE = """
stages:
  raw:
    foreach: ${datasets}
    do:
      cmd: echo ${key} >> runs && test ! -e fails-${key} && mkdir -p data/raw && echo ${key} > data/raw/${key}
      deps: [code]
      outs: ["data/raw/${key}"]
  cluster:
    matrix: {dataset: "${datasets}"}
    cmd: echo cluster-${item.dataset} >> runs && mkdir -p data/clusters && cp data/raw/${item.dataset} data/clusters/
    deps: ["data/raw/${item.dataset}"]
    outs: ["data/clusters/${item.dataset}"]
  metrics:
    cmd: echo metrics >> runs && cat data/clusters/* > metrics.txt
    deps: [data/clusters]
    outs: [metrics.txt]
  report:
    cmd: echo report >> runs && mkdir -p reports && cp metrics.txt reports/index.html
    deps: [metrics.txt]
    outs: [reports/index.html]
"""


@pytest.fixture
def project(tmp_path):
    run_in(tmp_path, sys.executable, "-m", "dvc", "init", "--no-scm", "-q")
    (tmp_path / "dvc.yaml").write_text(RECIPE)
    (tmp_path / "params.yaml").write_text("datasets: {bad: {}, good: {}, own: {}}\ntraining: {dataset: own}\n")
    (tmp_path / "code").write_text("1")
    (tmp_path / "pipelines").symlink_to(PROJECT / "pipelines")
    return tmp_path


def conservatory(project):
    return run_in(project, sys.executable, "-m", "pipelines.cli", "run", check=False)


def test_the_others_go_on_and_the_report_is_made(project):
    (project / "fails-bad").touch()
    done = conservatory(project)
    assert done.returncode and ", except for bad:" in done.stdout and "Continuing without bad." in done.stdout
    ran = (project / "runs").read_text().split()
    assert set(ran) == {"bad", "good", "own", "cluster-good", "cluster-own", "metrics", "report"}
    assert (project / "reports/index.html").read_text().split() == ["good", "own"]
    assert str(project / "reports/index.html") in done.stdout
    (ended,) = [entry for entry in record.read(project) if entry["what"] == record.ENDED]
    assert ended["status"] and ended["failed"] == "raw@bad"
    (project / "fails-bad").unlink()
    again = conservatory(project)
    assert again.returncode == 0 and "4 stages ran" in again.stdout
    assert (project / "reports/index.html").read_text().split() == ["bad", "good", "own"]


def test_several_fail_and_each_is_named(project):
    for name in ("bad", "good"):
        (project / f"fails-{name}").touch()
    done = conservatory(project)
    assert ", except for bad, good:" in done.stdout
    failed = [entry["stage"] for entry in record.read(project) if entry.get("state") == record.FAILED]
    assert sorted(failed) == ["raw@bad", "raw@good"]
    assert (project / "reports/index.html").read_text().split() == ["own"]


def test_what_taggers_are_trained_on_stops_the_run(project):
    (project / "fails-own").touch()
    done = conservatory(project)
    assert done.returncode and "Stopped after" in done.stdout and not (project / "reports").exists()


def test_the_dataset_of_a_stage():
    assert [due.dataset_of(name) for name in ("cluster@mine", "features@mine-log_mel", "report")] == [
        "mine",
        "mine",
        "",
    ]


def test_one_dataset_and_the_report(project):
    planned = run_in(project, sys.executable, "-m", "pipelines.cli", "run", "--dry-run", "--dataset", "good").stdout
    assert [line.split()[0] for line in planned.splitlines()[:-1]] == ["raw@good", "cluster@good", "metrics", "report"]
    assert "4 stages: their times are known once they have run here." in planned and not (project / "runs").exists()
    run_in(project, sys.executable, "-m", "pipelines.cli", "run", "--dataset", "good")
    assert (project / "runs").read_text().split() == ["good", "cluster-good", "metrics", "report"]
    assert (project / "reports/index.html").read_text().split() == ["good"]
    assert (
        "Nothing to do."
        in run_in(project, sys.executable, "-m", "pipelines.cli", "run", "--dry-run", "--dataset", "good").stdout
    )
    whole = run_in(project, sys.executable, "-m", "pipelines.cli", "run", "--dry-run").stdout
    assert "raw@bad" in whole and "raw@good" not in whole and "took" in whole and "unknown" in whole
