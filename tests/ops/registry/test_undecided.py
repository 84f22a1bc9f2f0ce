"""What a decision waits for: bytes or records that can be had again are no reason to refuse a model; and what was decided before
a kill is kept after it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import small_models as small
from helpers import some

from pipelines.core import embeddings
from pipelines.core.tables import write_table
from pipelines.ops.registry import gate, history, promotion, retrain, saving, versions, worktree
from pipelines.ops.registry.errors import Incomparable, RegistryError
from pipelines.ops.remotes import local_cache

SKILL = "taggers.short.skill"
SCORES = "data/predictions/tagging/music/short.parquet"
OPTIONS = small.options()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A champion, and the commit of a better model that nobody has heard of."""
    project = small.with_champion(tmp_path_factory.mktemp("undecided") / "project")
    small.edit(project, "skill: 2.0", "skill: 3.0")
    small.repro(project)
    return project


@pytest.fixture
def project(made, tmp_path):
    return shutil.copytree(made, tmp_path / "project", symlinks=True)


def in_cache(project, md5):
    return project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def spoil(file):
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"x")


def champions_file(project):
    return in_cache(project, versions.load(project, "short", 1)["hashes"][SCORES])


def challengers_file(project):
    folder = versions.describe(project, "short", "HEAD")["hashes"]["models/tagging/short"]
    (weights,) = [e["md5"] for e in json.loads(in_cache(project, folder).read_bytes()) if e["relpath"] == "config.json"]
    return in_cache(project, weights)


TROUBLE = {
    "the champion's predictions damaged": (champions_file, spoil, "is damaged in DVC's cache"),
    "the champion's predictions in a remote that is away": (champions_file, lambda f: f.unlink(), "the remote"),
    "the champion's record": (
        lambda project: versions.path(project, "short", 1),
        lambda f: f.write_text("{}"),
        r"short/1.json is invalid .*: repair it, or restore it from git",
    ),
    "the challenger's model damaged": (challengers_file, spoil, "is damaged in DVC's cache"),
    "what was purged": (
        lambda project: project / "registry/purged.json",
        lambda f: f.write_text("<<<<<<< HEAD"),
        "purged.json is invalid",
    ),
}


@pytest.mark.parametrize("trouble", some(TROUBLE, "the champion's predictions damaged", "the champion's record"))
def test_what_may_be_mended_is_no_refusal(project, trouble):
    find, harm, words = TROUBLE[trouble]
    small.git(project, "config", "-f", ".dvc/config", "core.remote", "shelf")
    small.git(project, "config", "-f", ".dvc/config", "remote.shelf.url", "ssh://nobody@127.0.0.1:9/shelf")
    file = find(project)
    kept = file.read_bytes() if file.exists() else None
    harm(file)
    commit = small.git(project, "rev-parse", "HEAD")
    for _ in range(2):
        with pytest.raises(RegistryError, match=words):
            retrain.judge(project, ["short"], commit, OPTIONS, "again")
        events = history.read(project, "short")
        assert "refused" not in [event["event"] for event in events] and history.champion(events) == 1
        assert history.stages(events).get(2) in (None, "challenger")
    file.unlink(missing_ok=True)
    if kept is not None:
        file.write_bytes(kept)
    assert retrain.judge(project, ["short"], commit, OPTIONS, "again")["short"]["event"] == "promoted"
    assert small.git(project, "status", "--porcelain", "registry") == ""


def test_what_cannot_be_decided_holds_up_no_other(project):
    commit = small.git(project, "rev-parse", "HEAD")
    with pytest.raises(RegistryError, match="^other: dvc.lock of commit .* has no models/tagging/other"):
        retrain.judge(project, ["other", "short"], commit, OPTIONS, "both")
    assert history.champion(history.read(project, "short")) == 2
    assert small.git(project, "log", "-1", "--format=%s") == "Registry: short 2 promoted (both)"


@pytest.mark.system
def test_a_retraining_that_cannot_decide_goes_on_later(project):
    file = champions_file(project)
    kept = file.read_bytes()
    file.unlink()
    done = small.conservatory(project, "retrain", "--set", f"{SKILL}=3.5", check=False)
    (name,) = worktree.waiting(project)
    assert done.returncode == 2 and f"{SCORES} " in done.stderr and f"retrain --resume {name}" in done.stderr
    assert history.stages(history.read(project, "short")) == {1: "champion", 2: "challenger"}
    file.write_bytes(kept)
    assert "version 2 promoted" in small.conservatory(project, "retrain", "--resume", name).stdout
    assert worktree.waiting(project) == []


@pytest.mark.fault
@pytest.mark.parametrize("step", ["before it is committed", "after it"])
def test_killed_between_the_decision_and_its_end(project, monkeypatch, step):
    monkeypatch.setenv("PYTHONPATH", str(small.PROJECT))

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((saving, "save") if step == "before it is committed" else (worktree, "remove")), killed)
        with pytest.raises(KeyboardInterrupt):
            retrain.begin(project, "HEAD", [f"{SKILL}=3.5"], [])
    (name,) = worktree.waiting(project)
    commit = versions.load(project, "short", 2)["commit"]
    assert history.champion(history.read(project, "short")) == 2
    assert bool(small.git(project, "status", "--porcelain", "registry")) == (step == "before it is committed")
    assert retrain.resume(project, name) == {"id": name, "commit": commit, "models": {"short": None}}
    assert small.git(project, "rev-parse", f"retrain/{name}") == commit and worktree.waiting(project) == []
    assert commit in small.git(project, "for-each-ref", "refs/exps")
    assert small.git(project, "status", "--porcelain", "registry") == ""


def test_a_branch_is_kept_for_any_commit_of_its_own_that_is_registered(tmp_path):
    small.git(tmp_path, "init", "-q", "-b", "main")
    commits = []
    for name in ("base", "first", "second"):
        if name == "first":
            small.git(tmp_path, "checkout", "-qb", "retrain/a")
        small.git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", name)
        commits.append(small.git(tmp_path, "rev-parse", "HEAD"))
    small.git(tmp_path, "checkout", "-q", "main")
    assert not worktree.holds(tmp_path, "a", [commits[0]])
    assert worktree.holds(tmp_path, "a", [commits[1]]) and worktree.holds(tmp_path, "a", [commits[2]])
    small.git(tmp_path, "merge", "-q", "--ff-only", "retrain/a")
    assert not worktree.holds(tmp_path, "a", commits)


def test_predictions_of_nan_refuse_the_challenger_and_not_the_next(project):
    promotion_of = {"champion": 1, "challenger": 2}
    versions.register(project, "short")
    records = {side: versions.load(project, "short", version) for side, version in promotion_of.items()}
    for side, wrong in (("champion", RegistryError), ("challenger", Incomparable)):
        table = pd.read_parquet(in_cache(project, records[side]["hashes"][SCORES]))
        table["scores"] = [np.full_like(row, np.nan) for row in table["scores"]]
        write_table(table, project / "nan.parquet", embeddings.PREDICTIONS)
        md5 = local_cache.digest(project / "nan.parquet")
        in_cache(project, md5).parent.mkdir(exist_ok=True)
        shutil.copy(project / "nan.parquet", in_cache(project, md5))
        pair = {**records, side: {**records[side], "hashes": {**records[side]["hashes"], SCORES: md5}}}
        with pytest.raises(RegistryError, match="has NaN or infinity among its predictions") as caught:
            gate.compare(project, pair["champion"], pair["challenger"], OPTIONS)
        assert type(caught.value) is wrong


def test_a_gate_that_has_measured_nothing_refuses_and_says_why(project):
    versions.register(project, "short")
    # a tag that no clip has: neither AUC can be said
    champion, challenger = ({**versions.load(project, "short", n), "tags": ["a tag"]} for n in (1, 2))
    found = gate.compare(project, champion, challenger, {**OPTIONS, "margins": {"roc_auc": 0.1, "pr_auc": 0.1}})
    assert found["metrics"] == {} and json.dumps(found, allow_nan=False)
    with pytest.raises(
        Incomparable, match=r"no guarded metric \(pr_auc, roc_auc\) could be measured .*registry.margins"
    ):
        gate.decide(found)
    # some of it, and the rest is said
    found = gate.compare(project, champion, challenger, OPTIONS)
    passed, why = gate.decide(found)
    assert passed and why.endswith("; not measured: pr_auc, roc_auc") and [*found["metrics"]] == ["knn_probe_style"]


def test_a_rollback_to_a_version_that_was_taken_back(project):
    versions.register(project, "short")
    promotion.promote(project, "short", 2, OPTIONS)
    for to, version in ((None, 1), (2, 2), (None, 1)):
        assert promotion.rollback(project, "short", "it hums", to)["version"] == version


def test_a_plan_that_is_spoilt_or_a_worktree_that_is_gone(project):
    folder = project / worktree.FOLDER
    (folder / "a").mkdir(parents=True)
    (folder / "a.json").write_text("{}")
    done = small.conservatory(project, "retrain", "--resume", "a", check=False)
    assert done.returncode == 2 and "a.json is invalid" in done.stderr and "--clean" in done.stderr
    (folder / "a").rmdir()
    with pytest.raises(RegistryError, match="the worktree of retraining a is gone: .*--clean"):
        retrain.resume(project, "a")
    assert "Removed: a" in small.conservatory(project, "retrain", "--clean").stdout
    with pytest.raises(RegistryError, match="there is no unfinished retraining 'a'"):
        retrain.resume(project, "a")


def test_commands_say_what_is_spoilt(project):
    path = project / "registry/short/1.json"
    whole = path.read_text()
    for text in ("[" * 5000, whole.replace('"n"', '"m"')):
        path.write_text(text)
        with pytest.raises(RegistryError, match="1.json is invalid .*git checkout HEAD -- registry/short/1.json"):
            versions.load(project, "short", 1)
    path.write_text("{}")
    listed = small.conservatory(project, "models", "list", check=False)
    assert listed.returncode == 2 and "short/1.json is invalid" in listed.stderr
    status = small.conservatory(project, "status", check=False)
    assert "short/1.json is invalid" in status.stdout and "Traceback" not in status.stderr
    path.write_text(whole)
    (project / "registry/purged.json").write_text("[]")
    done = small.conservatory(project, "push", check=False)
    assert done.returncode == 1 and "purged.json is invalid" in done.stderr
