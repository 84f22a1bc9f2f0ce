"""A command is for the project its user stands in, and never for another; files are meant from where they stand."""

import json
import shutil
import sys
from importlib import metadata

import pytest
from helpers import PROJECT, copy_params, run_in

from pipelines.ops.settings import load_params

COMMAND = (sys.executable, "-m", "pipelines.cli")


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "a project"
    (root / "pipelines").mkdir(parents=True)
    (root / "docs" / "deep").mkdir(parents=True)
    copy_params(root)
    shutil.copy(PROJECT / "dvc.yaml", root)
    run_in(root, sys.executable, "-m", "dvc", "init", "--no-scm", "-q", PYTHONPATH=str(PROJECT))
    return root


def call(folder, *arguments):
    done = run_in(folder, *COMMAND, *map(str, arguments), check=False, PYTHONPATH=str(PROJECT))
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",), ("remove", "scores"), ("prune", "--yes"), ("cache",), ("models", "list"), ("status",), ("logs",),
        ("alerts", "test"), ("run",), ("ui",), ("push",), ("retrain",),
    ],
)  # fmt: skip
def test_outside_any_project_nothing_is_done(tmp_path, arguments):
    status, text = call(tmp_path, *arguments)
    assert status == 2 and f"There is no project in {tmp_path}" in text and "(in " not in text


def test_outside_there_is_help_and_predict(tmp_path):
    assert call(tmp_path, "--help")[0] == 0 and call(tmp_path, "remove", "-h")[0] == 0
    assert call(tmp_path, "--version") == (0, f"conservatory {metadata.version('conservatory')}\n")
    status, text = call(tmp_path, "predict", "nowhere", "a.wav")
    assert status == 2 and "no fitted run 'nowhere'" in text


def test_below_the_root_it_is_that_project(project, songs):
    below = project / "docs" / "deep"
    shutil.move(songs[0], below / "songs")
    status, text = call(below, "add", "songs", "--name", "mine")
    assert status == 0 and f"(in {project})" in text
    assert load_params(project / "params.yaml")["datasets"]["mine"]["path"] == str(below / "songs")
    status, text = call(below, "remove", "mine")
    assert status == 0 and "mine" not in load_params(project / "params.yaml")["datasets"]


def test_files_are_meant_from_where_the_user_stands(project):
    below = project / "docs"
    assert call(below, "status", "--html", "state.html")[0] == 1
    assert "<html" in (below / "state.html").read_text() and not (project / "state.html").exists()
    reads = {"params": {"params.yaml": {"clustering.seed": 2026}}}
    (project / "dvc.lock").write_text(
        json.dumps({"schema": "2.0", "stages": {"report": {"cmd": "x", **reads, "outs": []}}})
    )
    status, text = call(below, "impact", "../params.yaml#clustering.seed", "--json", "found.json")
    assert status == 0 and json.loads((below / "found.json").read_text()), text
    (below / "weights.pth").write_bytes(b"")
    status, text = call(below, "predict", "weights.pth", "a.wav")
    assert status == 2 and "docs/weights.pth does not name its network" in text


@pytest.mark.parametrize(("target", "said"), [("deep", "that is a folder"), ("../dvc.yaml/x", "is not a folder")])
def test_a_file_that_cannot_be_written_is_a_sentence(project, target, said):
    for arguments in (("status", "--html"), ("trace", "raw@scores", "--card"), ("impact", "dvc.yaml", "--json")):
        status, text = call(project / "docs", *arguments, target)
        assert status == 2 and said in text


@pytest.mark.parametrize("arguments", [("run",), ("prune", "--yes")])
def test_a_project_that_is_not_in_git_is_a_sentence(project, arguments):
    (project / ".dvc/config").write_text("")
    status, text = call(project, *arguments)
    assert status and "git" in text


@pytest.mark.parametrize("arguments", [("run",), ("prune",), ("pull",), ("impact", "params.yaml#clustering.seed")])
def test_settings_that_dvc_cannot_go_by_are_a_sentence(project, arguments):
    (project / ".dvc/config.local").write_text("['remote \"shelf\"']\n    keyfile = /k\n")
    reads = {"params": {"params.yaml": {"clustering.seed": 2026}}}
    made = {"outs": [{"path": "reports/x.json", "md5": "0" * 32}]}
    (project / "dvc.lock").write_text(
        json.dumps({"schema": "2.0", "stages": {"report": {"cmd": "x", **reads, **made}}})
    )
    status, text = call(project, *arguments)
    assert status == 2 and ".dvc/config.local" in text and "stand in the way" not in text
