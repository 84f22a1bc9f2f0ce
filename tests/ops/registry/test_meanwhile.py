"""What changes in the user's tree while a retraining trains: the branch that is checked out, what is withdrawn."""

from pathlib import Path

import pandas as pd
import pytest
import small_models as small
import yaml
from helpers import PROJECT
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.ops.registry import history, pending_alerts, worktree

SKILL = "taggers.short.skill"


@pytest.fixture
def training(project, stop):
    """A retraining that trains now, and what it said in the end once it may go on."""
    process = small.start(project, "retrain", "--set", f"{SKILL}=3.0", STOP_AT=stop)
    Path(f"{stop}.begun").read_text()

    def go():
        Path(f"{stop}.go").write_text("")
        said, _ = process.communicate()
        return process.returncode, said

    yield go
    process.kill()


def withdraw(project):
    """A training clip; its SHA-256."""
    table = pd.read_parquet(project / "data/manifests/music.parquet")
    content = table[table["split"] == "train"]["sha256"].iloc[0]
    document = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump(document | {"withdrawn": {content: "a letter"}}))
    return content


@pytest.mark.system
def test_another_branch_decides_nothing(project, training):
    """It may have no registry, or another champion."""
    small.git(project, "checkout", "-q", "-b", "feature", small.git(project, "rev-list", "--max-parents=0", "HEAD"))
    status, said = training()
    assert status == 2 and "started on main, and feature is checked out now" in said
    assert not (project / "registry").exists() and small.git(project, "log", "-1", "--format=%s", "main").startswith(
        "Registry"
    )
    (name,) = worktree.waiting(project)
    done = small.conservatory(project, "retrain", "--resume", name, check=False)
    assert done.returncode == 2 and "check out the branch it was started on" in done.stderr
    small.git(project, "checkout", "-q", "main")
    assert "version 2 promoted" in small.conservatory(project, "retrain", "--resume", name).stdout


@pytest.mark.system
def test_who_heard_a_clip_that_was_withdrawn_meanwhile_does_not_become_champion(project, training):
    content = withdraw(project)
    small.commit(project)
    status, said = training()
    assert (
        status == 2 and f"withdrawn here but not in the commit that the retraining starts from: {content[:16]}" in said
    )
    assert [event["version"] for event in history.read(project, "short")] == [1, 1]
    assert "Removed: 20" in small.conservatory(project, "retrain", "--clean").stdout


@pytest.mark.system
def test_who_goes_on_using_a_version_that_heard_what_is_withdrawn_is_told(project, tmp_path):
    small.edit(project, "skill: 2.0", "skill: 3.0")
    small.repro(project)
    small.conservatory(project, "models", "register")
    content = withdraw(project)
    told = f"was trained on a clip that was withdrawn: {content[:16]} (a letter)"
    promoted = small.conservatory(project, "models", "promote", "short", "2")
    assert f"version 2 of short {told}" in promoted.stderr
    assert (
        f"version 1 of short {told}"
        in small.conservatory(project, "models", "rollback", "short", "--reason", "a").stderr
    )
    assert told in small.conservatory(project, "models", "export", "short", str(tmp_path / "out")).stderr


@pytest.mark.parametrize(
    "given", [["--set", "training.seed=2"], ["--stage", "tagging"], ["--revision", "HEAD~1"], ["--clean"]]
)
def test_what_a_retraining_that_was_begun_has_already_is_refused(project, given):
    done = small.conservatory(project, "retrain", "--resume", "20260101T000000Z-0000", *given, check=False)
    assert done.returncode == 2 and given[0] in done.stderr and "no retraining" not in done.stderr


def test_the_gates_reason_is_its_own(project):
    done = small.conservatory(project, "models", "promote", "short", "1", "--reason", "mine", check=False)
    assert done.returncode == 2 and "omit --reason" in done.stderr


def test_nothing_to_go_back_to_names_who_was_taken_back(project):
    for event, version in (("registered", 2), ("promoted", 2), ("rolled_back", 1)):
        history.append(project, "short", event, version, "a test")
    done = small.conservatory(project, "models", "rollback", "short", "--reason", "a", check=False)
    assert (
        done.returncode == 2
        and "no champion before version 1 (champions that were rolled back: 2; name one with --to" in done.stderr
    )


@pytest.mark.fault
def test_interrupted_after_the_decision_it_says_that_that_stands(project, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.chdir(project)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    with monkeypatch.context() as patch:
        patch.setattr(pending_alerts, "refusals", interrupt)
        done = CliRunner().invoke(app, ["retrain", "--set", f"{SKILL}=3.0"])
    assert done.exit_code == 130 and "Interrupted; decisions already made are kept" in done.stderr, done.output
    assert history.champion(history.read(project, "short")) == 2
    assert small.conservatory(project, "retrain", "--resume", worktree.waiting(project)[0]).returncode == 0
    assert worktree.waiting(project) == []
