"""What of the registry is committed: all that was registered, and nothing that cannot be read."""

import shutil

import pytest
import small_models as small

from pipelines.ops.registry import history, retrain, saving, worktree
from pipelines.ops.registry.errors import RegistryError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return small.finished(tmp_path_factory.mktemp("saving") / "project")


@pytest.fixture
def project(made, tmp_path):
    return shutil.copytree(made, tmp_path / "project", symlinks=True)


def head(project):
    return small.git(project, "log", "-1", "--format=%s")


def changed(project):
    return small.git(project, "status", "--porcelain", "registry")


def test_what_cannot_be_read_is_never_committed(project):
    commit = small.git(project, "rev-parse", "HEAD")
    retrain.judge(project, ["short"], commit, small.options(), "first")
    before, path = small.git(project, "rev-parse", "HEAD"), project / "registry/short/history.jsonl"
    sound = path.read_bytes()
    path.write_bytes(sound + b"<<<<<<< HEAD\n")
    done = small.conservatory(project, "retrain", check=False)  # before anything is trained
    assert (
        done.returncode == 2 and "history.jsonl, line 3, is no event" in done.stderr and not worktree.waiting(project)
    )
    with pytest.raises(RegistryError, match=r"line 3, is no event.*registry/ was not committed"):
        retrain.judge(project, ["short"], commit, small.options(), "again")
    assert small.git(project, "rev-parse", "HEAD") == before
    small.git(project, "checkout", "HEAD", "--", "registry/short/history.jsonl")  # what the sentence advises
    assert path.read_bytes() == sound
    # nor another model's
    (project / "registry/other").mkdir()
    (project / "registry/other/history.jsonl").write_text("{}\n")
    with pytest.raises(RegistryError, match=r"not committed.*other/history.jsonl, line 1"), history.alone(project):
        saving.save(project, "trial")
    assert small.git(project, "rev-parse", "HEAD") == before


def test_what_was_registered_is_committed_though_a_later_name_fails(project):
    done = small.conservatory(project, "models", "register", "short", "nosuch", check=False)
    assert done.returncode == 2 and "no models/tagging/nosuch" in done.stderr and "short: version 1" in done.stdout
    assert head(project) == "Registry: short 1 registered" and changed(project) == ""


def test_a_tagger_that_is_not_trained_yet_holds_up_no_other(project):
    small.edit(project, "  short: {", "  long: {recipe: quick, skill: 1.0}\n  short: {")
    done = small.conservatory(project, "models", "register", check=False)
    assert done.returncode == 2 and "has no models/tagging/long" in done.stderr
    assert head(project) == "Registry: short 1 registered" and changed(project) == ""


@pytest.mark.system
def test_what_could_not_be_committed_is_by_the_next_register(project):
    small.git(project, "checkout", "-q", "--detach")
    assert "written but not committed" in small.conservatory(project, "models", "register").stdout
    assert changed(project)
    small.git(project, "checkout", "-q", "main")
    assert "already registered" in small.conservatory(project, "models", "register", "short").stdout
    assert head(project) == "Registry: uncommitted changes" and changed(project) == ""


@pytest.mark.system
def test_a_blank_reason_is_none(project):
    commit = small.git(project, "rev-parse", "HEAD")
    retrain.judge(project, ["short"], commit, small.options(), "first")
    before = history.read(project, "short")
    for command in (["promote", "short", "1", "--no-gate"], ["promote", "short", "1"], ["rollback", "short"]):
        for blank in ("", " \t"):
            done = small.conservatory(project, "models", *command, "--reason", blank, check=False)
            assert done.returncode == 2 and "the reason is blank" in done.stderr
    assert history.read(project, "short") == before
