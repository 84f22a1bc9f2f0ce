"""A retraining from beginning to end, and what is left of one that was refused, cut short, killed, or not alone."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
import small_models as small
import yaml
from helpers import run_in

from pipelines.ops.registry import history, retrain, versions, worktree
from pipelines.ops.runs import parent

SKILL = "taggers.short.skill"


def tree(project):
    """All files of the user's tree with their bytes, but for the registry and git's and the caches' own."""
    own = {".git", ".cache", "registry", "cache", "tmp"}
    files = (path for path in project.rglob("*") if path.is_file() and not own & set(path.relative_to(project).parts))
    return {str(path.relative_to(project)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def branches(project):
    return small.git(project, "branch", "--format=%(refname:short)", "--list", "retrain/*").split()


def left(project):
    return sorted(path.name for path in (project / ".cache/retrain").iterdir() if not path.name.startswith("."))


def test_promoted_and_refused_beside_a_user_at_work(project):
    (project / "notes.txt").write_text("staged")
    small.git(project, "add", "notes.txt")
    small.edit(project, "works: 60", "works: 10")  # never meant for a retraining
    before, head = tree(project), small.git(project, "rev-parse", "HEAD")
    better = small.conservatory(project, "retrain", "--set", f"{SKILL}=3.0", "--json", "told.json")
    assert "not part of the retraining" in better.stdout and "version 2 promoted" in better.stdout
    told = json.loads((project / "told.json").read_text())
    assert (
        told["models"]["short"]["event"] == "promoted" and told["models"]["short"]["comparison"]["test_set"]["n"] == 48
    )
    (project / "told.json").unlink()
    worse = small.conservatory(project, "retrain", "--set", f"{SKILL}=0.1")
    assert worse.returncode == 0 and "version 3 refused" in worse.stdout and "FAILED" in worse.stdout
    assert tree(project) == before
    assert small.git(project, "diff", "--cached", "--name-only") == "notes.txt"
    assert small.git(project, "diff", "--name-only") == "params.yaml"
    changed = small.git(project, "diff", "--name-only", head, "HEAD").splitlines()
    assert changed and all(path.startswith("registry/short/") for path in changed)
    assert left(project) == [] and len(branches(project)) == 2
    assert small.git(project, "worktree", "list").count("\n") == 0
    branch = f"retrain/{told['id']}"
    assert small.git(project, "rev-parse", branch) == told["commit"] == versions.load(project, "short", 2)["commit"]
    assert "skill: 3.0" in small.git(project, "show", f"{branch}:params.yaml")
    # the worktree is gone, and the audit still knows which run trained it
    runs = versions.load(project, "short", 2)["runs"].values()
    assert f"conservatory run, for retraining {told['id']}" in {run["door"] for run in runs}
    assert f"retrain-{told['id']}" in run_in(project, "dvc", "exp", "list", "-A", "--name-only").stdout


def test_nothing_new_is_said_and_leaves_nothing(project):
    before = small.git(project, "for-each-ref")
    done = small.conservatory(project, "retrain")
    assert "Nothing to train" in done.stdout and "the same model as version 1 (champion)" in done.stdout
    assert small.git(project, "for-each-ref") == before and left(project) == []


@pytest.mark.system
def test_another_test_set_is_a_refusal_with_its_reason_and_an_alert(project, tmp_path, monkeypatch):
    monkeypatch.setenv("CONSERVATORY_ALERTS_COMMAND", f"(cat; echo) >> {tmp_path}/told")
    done = small.conservatory(project, "retrain", "--set", "datasets.music.works=40")
    assert done.returncode == 0
    event = history.read(project, "short")[-1]
    assert event["event"] == "refused" and "different test sets" in event["reason"] and "--no-gate" in event["reason"]
    assert history.champion(history.read(project, "short")) == 1
    (line,) = (tmp_path / "told").read_text().splitlines()
    told = json.loads(line)
    assert (told["kind"], told["about"]) == ("refused", "short") and "different test sets" in told["reason"]


def test_a_stage_of_a_retraining_that_fails_is_one_alert_with_its_reason(project, tmp_path, monkeypatch):
    monkeypatch.setenv("CONSERVATORY_ALERTS_COMMAND", f"(cat; echo) >> {tmp_path}/told")
    small.edit(project, "stage, name = sys.argv[1], sys.argv[-1]", 'sys.exit("no more disk")', "steps.py")
    small.commit(project)
    assert small.conservatory(project, "retrain", check=False).returncode == 2
    (line,) = (tmp_path / "told").read_text().splitlines()
    told = json.loads(line)
    assert (told["kind"], told["about"], told["reason"]) == ("failed", "retraining", "manifest@music no more disk")
    assert worktree.failure(project, worktree.waiting(project)[0]) == "manifest@music no more disk"


def killed_with(project, command, subject):
    """Let git kill who calls it to commit, as soon as it has made a commit of that subject."""
    hook = project / ".git/hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f'#!/bin/sh\ncase "$(git log -1 --format=%s)" in "{subject}"*) kill -9 "$(ps -o ppid= -p "$PPID" | tr -d " ")";; esac\n'
    )
    hook.chmod(0o755)
    done = small.conservatory(project, *command, check=False)
    assert done.returncode == -signal.SIGKILL
    hook.unlink()


def told(tmp_path):
    path = tmp_path / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.fault
@pytest.mark.cold
@pytest.mark.parametrize("opportunity", [["retrain", "--resume"], ["run"]])
def test_killed_after_a_refusal_it_is_told_of_once_by_whoever_comes_next(project, tmp_path, monkeypatch, opportunity):
    monkeypatch.setenv("CONSERVATORY_ALERTS_COMMAND", f"(cat; echo) >> {tmp_path}/told")
    killed_with(project, ["retrain", "--set", f"{SKILL}=0.1"], "Registry: ")
    assert history.read(project, "short")[-1]["event"] == "refused" and told(tmp_path) == []
    (name,) = worktree.waiting(project)
    small.conservatory(project, *opportunity, *([name] if "--resume" in opportunity else []))
    cut_off, refused = told(tmp_path)
    assert (cut_off["kind"], cut_off["about"]) == ("failed", "retraining") and f"{name} ended unexpectedly" in cut_off[
        "reason"
    ]
    assert (refused["kind"], refused["about"]) == ("refused", "short") and "worse than version 1" in refused["reason"]
    small.conservatory(project, "run")
    small.conservatory(project, "retrain", "--clean")
    assert len(told(tmp_path)) == 2 and left(project) == []


@pytest.mark.fault
@pytest.mark.cold
def test_a_retraining_that_was_killed_is_told_of_and_not_one_that_was_told_to_send_nothing(
    project, tmp_path, monkeypatch
):
    """As Dagster tells its own, whose sensor sends."""
    monkeypatch.setenv("CONSERVATORY_ALERTS_COMMAND", f"(cat; echo) >> {tmp_path}/told")
    for number, switch in enumerate(("on", "off"), 1):
        monkeypatch.setenv("CONSERVATORY_ALERTS", switch)
        killed_with(project, ["retrain", "--set", f"{SKILL}=3.{number}"], "Retraining")
    monkeypatch.setenv("CONSERVATORY_ALERTS", "on")
    name, other = worktree.waiting(project)
    small.conservatory(project, "run")
    small.conservatory(project, "run")
    (alert,) = told(tmp_path)
    assert alert["reason"] == f"retraining {name} ended unexpectedly: it was killed, or the machine went down"
    assert f"conservatory retrain --resume {name}" in alert["detail"]
    # what came to its end as it should owes nothing
    assert "version 2 promoted" in small.conservatory(project, "retrain", "--resume", other).stdout
    assert len(told(tmp_path)) == 1


@pytest.mark.fault
@pytest.mark.cold
def test_a_retraining_is_left_alone_while_it_works_and_its_training_ends_with_it(project, stop):
    before = (project / "registry/short/history.jsonl").read_bytes()
    process = small.start(project, "retrain", "--set", f"{SKILL}=3.0", STOP_AT=stop)
    Path(f"{stop}.begun").read_text()  # training has begun
    (name,) = {path.split(".")[0] for path in left(project)}
    children = psutil.Process(process.pid).children(recursive=True)
    # nobody may take the folder away under it, or begin beside it
    for option in (["--resume", name], ["--clean"]):
        done = small.conservatory(project, "retrain", *option, check=False)
        assert f"{name} is running in another process (" in done.stdout + done.stderr
        assert str(process.pid) in done.stdout + done.stderr and "Removed" not in done.stdout
    process.kill()
    process.communicate()
    assert not [child for child in psutil.wait_procs(children, 60)[1] if parent.lives(child)]
    assert (project / "registry/short/history.jsonl").read_bytes() == before
    assert "version 2 promoted" in small.conservatory(project, "retrain", "--resume", name).stdout
    assert left(project) == [] and branches(project) == [f"retrain/{name}"]
    killed = versions.load(project, "short", 2)
    # the same bytes as of a retraining that nobody disturbed
    again = small.conservatory(project, "retrain", "--set", f"{SKILL}=3.0")
    assert "the same model as version 2 (champion)" in again.stdout
    assert branches(project) == [f"retrain/{name}"]  # and what has brought no new model leaves nothing
    assert small.git(project, "for-each-ref", "refs/exps").count("\n") == 0
    assert [event["event"] for event in history.read(project, "short")] == ["registered", "promoted"] * 2
    assert killed["hashes"]["models/tagging/short"].endswith(".dir")
    done = small.conservatory(project, "retrain", "--resume", name, check=False)
    assert done.returncode == 2 and "no unfinished retraining" in done.stderr


@pytest.mark.fault
@pytest.mark.cold
def test_told_to_end_it_ends_its_children_and_clean_takes_it_away(project, stop):
    before = (project / "registry/short/history.jsonl").read_bytes()
    process = small.start(project, "retrain", "--set", f"{SKILL}=3.0", STOP_AT=stop)
    Path(f"{stop}.begun").read_text()
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate()
    assert process.returncode == 130 and "no champion changed" in said
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert len(branches(project)) == 1
    assert "Removed: 20" in small.conservatory(project, "retrain", "--clean").stdout
    assert left(project) == [] == branches(project) and small.git(project, "worktree", "list").count("\n") == 0
    assert (project / "registry/short/history.jsonl").read_bytes() == before
    assert "Nothing to remove" in small.conservatory(project, "retrain", "--clean").stdout


@pytest.mark.system
def test_a_relative_path_of_a_dataset_is_meant_from_the_project(project):
    """Music beside the recipe, which git does not have: a retraining reads it where it lies."""
    (project / "music/rock").mkdir(parents=True)
    (project / "music/rock/a.wav").write_bytes(b"sound")
    (project / ".git/info/exclude").write_text("/music\n")
    small.edit(project, "datasets:\n", "datasets:\n  mine: {path: music, fingerprint: x}\n")
    read = (
        "from pipelines.core.files import place; from pipelines.datasets import listing; "
        "assert len(listing.scan(place('music'))) == 1\n"
    )
    small.edit(project, 'if stage == "manifest":\n', f'{read}if stage == "manifest":\n', "steps.py")
    small.commit(project)
    done = small.conservatory(project, "retrain", "--set", f"{SKILL}=3.0")
    assert "mine: music has changed since it was last read" in done.stdout and "is missing" not in done.stdout
    name = small.git(project, "branch", "--format=%(refname:short)", "--list", "retrain/*")
    entry = yaml.safe_load(small.git(project, "show", f"{name}:params.yaml"))["datasets"]["mine"]
    assert entry["path"] == "music" and len(entry["fingerprint"]) == 16


@pytest.mark.system
def test_two_at_once(project):
    both = [small.start(project, "retrain", "--set", f"{SKILL}={skill}") for skill in ("3.0", "3.5")]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    events = history.read(project, "short")[2:]
    assert [event["event"] for event in events[::2]] == ["registered"] * 2
    assert {event["version"] for event in events} == {2, 3} and len(branches(project)) == 2
    # each was compared with the champion there was when it was its turn
    assert events[1]["comparison"]["champion"] == 1 and events[1]["event"] == "promoted"
    assert events[3]["comparison"]["champion"] == 2
    commits = {versions.load(project, "short", version)["commit"] for version in (2, 3)}
    assert commits == set(small.git(project, "for-each-ref", "--format=%(objectname)", "refs/heads/retrain").split())
    assert small.git(project, "status", "--porcelain") == "" and left(project) == []


@pytest.mark.system
def test_pushed_before_it_is_judged(project, tmp_path):
    """The remote, named by a relative path, is a file at first: nothing can be pushed, and nothing is promoted."""
    run_in(project, "dvc", "remote", "add", "-q", "-d", "shelf", "../shelf")
    small.commit(project)
    shelf = tmp_path / "shelf"
    shelf.write_text("in the way")
    failed = small.conservatory(project, "retrain", "--set", f"{SKILL}=3.0", check=False)
    assert failed.returncode == 2 and " is incomplete: of " in failed.stderr and "--resume" in failed.stderr
    assert history.champion(history.read(project, "short")) == 1
    (name,) = {path.split(".")[0] for path in left(project)}
    shelf.unlink()
    assert "version 2 promoted" in small.conservatory(project, "retrain", "--resume", name).stdout
    subprocess.run(["git", "clone", "-q", "-b", f"retrain/{name}", project, tmp_path / "clone"], check=True)
    run_in(tmp_path / "clone", "dvc", "remote", "modify", "-q", "--local", "shelf", "url", str(shelf))
    run_in(tmp_path / "clone", "dvc", "pull", "-q")
    config = json.loads((tmp_path / "clone/models/tagging/short/config.json").read_text())
    assert config["skill"] == 3.0
    # and the champion's files come from there, with nothing in the cache
    shutil.rmtree(project / ".dvc/cache")
    small.conservatory(project, "models", "export", "short", "champion")
    assert json.loads((project / "champion/config.json").read_text()) == config


@pytest.mark.system
def test_a_kill_between_registering_and_deciding_is_made_good(project):
    small.edit(project, "skill: 2.0", "skill: 3.0")
    commit = small.repro(project)
    with history.alone(project):
        versions.register(project, "short", commit)
    assert history.stages(history.read(project, "short")) == {1: "champion", 2: "challenger"}
    options = small.options()
    assert retrain.judge(project, ["short"], commit, options, "again")["short"]["event"] == "promoted"
    assert retrain.judge(project, ["short"], commit, options, "and again")["short"] is None
    # killed before the event, a version's files are of nobody, and the next takes the number
    (project / "registry/short/3.json").write_text("{")
    small.edit(project, "skill: 3.0", "skill: 3.1")
    assert versions.register(project, "short", small.repro(project)) == (3, True)
    assert versions.load(project, "short", 3)["params"]["taggers.short"]["skill"] == 3.1
