"""After pruning every registered model is as it was; what is old and nobody's is gone; what is at work is not touched."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import small_models as small
from helpers import run_in

from pipelines.ops.registry import cache_references, history, other_branches, retrain, versions
from pipelines.ops.retention import dvc_cache, experiments, prune
from pipelines.ops.status import gather, page, text

DVC = (sys.executable, "-m", "dvc")
SKILL = "taggers.short.skill"
NOTHING = (
    "\nretention: {experiments: {keep_days: 0, keep_last: 0}, retrainings: {keep_days: 0}, cache: {keep_days: 0}}\n"
)
AT_ONCE = {
    "experiments": {"keep_days": 0, "keep_last": 0},
    "retrainings": {"keep_days": 0, "keep_last": 0},
    "cache": {"keep_days": 0},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three versions: one replaced, the champion, one refused, the last two of branches as retrainings leave them; and an
    experiment that nobody registered."""
    project = small.create(tmp_path_factory.mktemp("prune") / "project")
    with (project / "params.yaml").open("a") as file:
        file.write(NOTHING)
    retrain.judge(project, ["short"], small.repro(project), small.options(), "first", say=print)
    base = small.git(project, "rev-parse", "HEAD")
    tried = {skill: aside(project, skill) for skill in ("3.0", "0.1", "5.0")}
    for number, skill in enumerate(("3.0", "0.1")):
        small.git(project, "branch", f"retrain/20260101T00000{number}Z-0000", tried[skill])
        retrain.judge(project, ["short"], tried[skill], small.options(), "later", say=print)
    small.git(project, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/tried", tried["5.0"])
    return project


def aside(project, skill) -> str:
    """A commit that no branch has, of the project trained with another skill."""
    base = small.git(project, "rev-parse", "HEAD")
    small.edit(project, "skill: 2.0", f"skill: {skill}")
    commit = small.repro(project)
    small.git(project, "reset", "-q", "--hard", base)
    return commit


@pytest.fixture
def project(made, tmp_path):
    return shutil.copytree(made, tmp_path / "project", symlinks=True)


def cache(project) -> set[str]:
    return {file.parent.name + file.name for file in (project / ".dvc/cache/files/md5").glob("??/*")}


def closure(project, hashes) -> set[str]:
    """These hashes and those of the files in their folders."""
    folder = project / ".dvc/cache/files/md5"
    return set(hashes) | {inside for md5 in hashes if md5.endswith(".dir") for inside in dvc_cache.listing(folder, md5)}


def test_what_no_model_needs_goes_and_every_model_stays(project, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "no history yet"))
    models = closure(project, cache_references.of_versions(project))
    before, refs = cache(project), small.git(project, "for-each-ref")
    listed = small.conservatory(project, "prune")
    assert (
        "tried" in listed.stdout
        and "registered: short 3, retired" in listed.stdout
        and "Nothing was deleted" in listed.stdout
    )
    assert cache(project) == before and small.git(project, "for-each-ref") == refs
    assert "Done." in small.conservatory(project, "prune", "--yes").stdout
    left = cache(project)
    assert left < before and models <= left
    assert "tried" not in small.git(project, "for-each-ref")
    clone = tmp_path / "clone"  # laid out whole, from this cache alone
    subprocess.run(["git", "clone", "-q", project, clone], check=True)
    small.git(clone, "checkout", "-q", versions.load(project, "short", 3)["commit"])
    run_in(clone, *DVC, "cache", "dir", "--local", str(project / ".dvc/cache"))
    run_in(clone, *DVC, "checkout", "-q")
    assert json.loads((clone / "models/tagging/short/config.json").read_text())["skill"] == 0.1
    # compared, rolled back, and decided on again
    assert "would refuse" in small.conservatory(project, "models", "compare", "short", "2", "3").stdout
    small.conservatory(project, "models", "rollback", "short", "--reason", "a test")
    small.conservatory(project, "models", "promote", "short", "3", "--no-gate", "--reason", "a test")
    assert history.champion(history.read(project, "short")) == 3
    commit = versions.load(project, "short", 3)["commit"]
    assert small.conservatory(project, "trace", "models/tagging/short", "--rev", commit).returncode == 0
    assert "To delete: nothing" in small.conservatory(project, "prune").stdout


def test_a_refused_version_that_is_dropped_goes_and_is_still_told_of(project, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "no history yet"))
    stays = closure(project, cache_references.of_version(versions.load(project, "short", 1)).values())
    stays |= closure(project, cache_references.of_version(versions.load(project, "short", 2)).values())
    refused = versions.load(project, "short", 3)
    model = refused["hashes"]["models/tagging/short"]
    drop = ("models", "drop", "short")
    for version, why in (("1", "was champion"), ("2", "is champion"), ("4", "has no version 4")):
        done = small.conservatory(project, *drop, version, "--reason", "a test", check=False)
        assert done.returncode == 2 and why in done.stderr, done.stderr
    assert "the reason is blank" in small.conservatory(project, *drop, "3", "--reason", " ", check=False).stderr
    small.conservatory(project, *drop, "3", "--reason", "it hums")
    assert "dropped already: it hums" in small.conservatory(project, *drop, "3", "--reason", "a", check=False).stderr
    assert small.git(project, "log", "-1", "--format=%s") == "Registry: short 3 dropped"
    assert "Done." in small.conservatory(project, "prune", "--yes").stdout
    left = cache(project)
    assert model not in left and stays <= left
    assert refused["commit"] not in small.git(project, "for-each-ref", "--format=%(objectname)").split()
    assert versions.load(project, "short", 3) == refused and (project / "registry/short/3.md").exists()
    listed = small.conservatory(project, "models", "list", "short").stdout
    assert "dropped" in listed and "version 3 dropped: it hums" in listed
    promote = ("models", "promote", "short", "3", "--no-gate", "--reason", "a test")
    assert "was dropped: it hums" in small.conservatory(project, *promote, check=False).stderr
    found, new = versions.register(project, "short", versions.load(project, "short", 2)["commit"])
    assert (found, new) == (2, False)


@pytest.mark.system
def test_what_another_branch_has_registered_stays(project, tmp_path, monkeypatch):
    """A branch from before the registry, or one whose registry went on by itself, may be checked out."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "no history yet"))
    models, commits = closure(project, cache_references.of_versions(project)), set(other_branches.commits(project))
    first = small.git(project, "rev-list", "--max-parents=0", "HEAD")
    small.git(project, "checkout", "-q", "-f", "-b", "before", first)
    with (project / "params.yaml").open("a") as file:
        file.write(NOTHING)
    assert not (project / "registry").exists() and set(other_branches.commits(project)) == commits
    listed = small.conservatory(project, "prune", "--yes").stdout
    assert "registered: short 3, on main" in listed and "needed by a model registered on another branch" in listed
    assert models <= cache(project)
    assert commits <= set(small.git(project, "for-each-ref", "--format=%(objectname)").split()) | set(
        small.git(project, "rev-list", "main").split()
    )
    assert "Nothing to remove" in small.conservatory(project, "retrain", "--clean").stdout
    small.git(project, "checkout", "-q", "-f", "main")
    assert "would refuse" in small.conservatory(project, "models", "compare", "short", "2", "3").stdout
    # what main drops is dropped, though a branch of its past still has it; what another branch alone knows is not
    small.git(project, "branch", "past")
    small.conservatory(project, "models", "drop", "short", "3", "--reason", "a test")
    assert list(other_branches.others(project)) == []
    small.git(project, "checkout", "-q", "past")
    assert [label for _, label in other_branches.others(project)] == ["short 1, on main", "short 2, on main"]
    small.conservatory(project, "models", "rollback", "short", "--reason", "a test")
    assert [label for _, label in other_branches.others(project)] == ["short 1, on main", "short 2, on main"]
    small.git(project, "checkout", "-q", "main")
    assert [label for _, label in other_branches.others(project)] == [
        f"short {n}, on past" for n in (1, 2)
    ]  # 3: dropped here


def test_what_cannot_be_parsed_on_another_branch_keeps_what_it_names(project):
    commit, folder = small.git(project, "rev-parse", "HEAD"), project / "registry/short"
    small.git(project, "checkout", "-q", "-b", "damaged")
    (folder / "9.json").write_bytes(b'\xff\xfe "commit": "' + b"a" * 40 + b'" <<<<<<< ' + b"b" * 32)
    (folder / "history.jsonl").write_bytes((folder / "history.jsonl").read_bytes() + b"\xff\n")
    small.git(project, "add", "-A")
    small.git(project, "commit", "-q", "-m", "damaged")
    small.git(project, "checkout", "-q", "main")
    assert small.git(project, "rev-parse", "HEAD") == commit
    (text,) = [text for text, label in other_branches.others(project) if label == "short 9, on damaged"]
    assert "b" * 32 in text and other_branches.commits(project)["a" * 40] == "short 9, on damaged"


def test_what_was_dropped_and_comes_again_is_a_new_version(project):
    small.conservatory(project, "models", "drop", "short", "3", "--reason", "a test")
    commit = versions.load(project, "short", 3)["commit"]
    assert versions.register(project, "short", commit) == (4, True)
    assert history.stages(history.read(project, "short"))[4] == "challenger"


def test_status_says_what_experiments_take(project):
    """Of one whose bytes all are another's, or a registered version's, nothing."""
    files = project / ".dvc/cache/files/md5"
    head, tried = (
        small.git(project, "rev-parse", "HEAD"),
        small.git(project, "for-each-ref", "--format=%(objectname)", "refs/exps"),
    )

    def named(commit):
        return closure(
            project, re.findall(r"\b[0-9a-f]{32}(?:\.dir)?\b", small.git(project, "show", f"{commit}:dvc.lock"))
        )

    alone = cache(project) & named(tried) - named(head) - closure(project, cache_references.of_versions(project))
    size = sum((files / md5[:2] / md5[2:]).stat().st_size for md5 in alone)
    found = gather.gather(project)
    assert alone and found["experiments"] == {"count": 3, "bytes": size}
    assert f"3, and {text.size(size)} of DVC's cache that only they use" in "\n".join(text.lines(found))
    assert f"Experiments: 3, and {text.size(size)} of DVC&#39;s cache that only they use" in page.render(found)
    small.git(project, "branch", "kept", tried)
    assert experiments.usage(project, files) == {"count": 3, "bytes": 0}
    (project / "registry/short/history.jsonl").write_text("<<<<<<< merge\n")
    assert "line 1, is no event" in experiments.usage(project, files)["problem"]
    assert "unknown: " in "\n".join(text.lines(gather.gather(project)))


@pytest.mark.fault
def test_killed_in_the_middle_the_next_one_ends_it(project):
    (row,) = [row for row in prune.find(project, AT_ONCE) if row["kind"] == "cache" and not row["kept"]]
    listings = [path for path in row["paths"] if path.name.endswith(".dir")]
    assert listings and len(row["paths"]) > len(listings)
    removed = []

    class Killed(BaseException):
        pass

    def unlink(path, missing_ok):
        if len(removed) == len(listings):
            raise Killed
        removed.append(path)
        os.unlink(path)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "unlink", unlink)
        dvc_cache.remove(row)
    assert sorted(removed) == sorted(listings), "no listing may promise files that are gone"
    models = closure(project, cache_references.of_versions(project))
    prune.remove(project, prune.find(project, AT_ONCE))
    assert models <= cache(project) and not [row for row in prune.find(project, AT_ONCE) if not row["kept"]]


@pytest.mark.cold
def test_a_retraining_at_work_is_not_touched_and_one_that_was_left_goes(project, tmp_path):
    stop = str(tmp_path / "stop")
    for end in (".begun", ".go"):
        os.mkfifo(stop + end)
    process = small.start(project, "retrain", "--set", f"{SKILL}=4.0", STOP_AT=stop)
    Path(f"{stop}.begun").read_text()  # training has begun
    children = psutil.Process(process.pid).children(recursive=True)
    before, tree = cache(project), sorted((project / ".cache/retrain").rglob("*"))
    done = small.conservatory(project, "prune", "--yes")
    assert done.stdout.count("running") == 2 and "its retraining is unfinished" in done.stdout
    assert cache(project) == before and sorted((project / ".cache/retrain").rglob("*")) == tree
    for each in (process, *children):  # the machine is switched off
        each.kill()
    process.communicate()
    psutil.wait_procs(children)
    (name,) = [path.stem for path in (project / ".cache/retrain").glob("*.json")]
    small.conservatory(project, "prune", "--yes")
    assert not list((project / ".cache/retrain").glob("2*")) and name not in small.git(project, "for-each-ref")
    assert closure(project, cache_references.of_versions(project)) <= cache(project)


def test_nothing_is_removed_where_it_cannot_be_known_what_a_model_needs(project):
    listing = versions.load(project, "short", 2)["hashes"]["models/tagging/short"]
    (project / ".dvc/cache/files/md5" / listing[:2] / listing[2:]).unlink()
    before, refs = cache(project), small.git(project, "for-each-ref")
    done = small.conservatory(project, "prune", "--yes", check=False)
    assert done.returncode == 2 and "The files that short 2 needs are unknown" in done.stderr
    assert cache(project) == before and small.git(project, "for-each-ref") == refs


def test_a_cache_that_others_may_use_is_left_alone(project, tmp_path):
    run_in(project, *DVC, "cache", "dir", "--local", str(tmp_path / "shared"))
    shutil.copytree(project / ".dvc/cache", tmp_path / "shared")
    done = small.conservatory(project, "prune", "--yes")
    assert "outside the project" in done.stdout and "Done." in done.stdout
    assert len(list((tmp_path / "shared/files/md5").glob("??/*"))) == len(cache(project))


def test_an_experiment_that_moved_since_is_left(project):
    (row,) = [row for row in experiments.find(project) if row["name"] == "tried"]
    (ref,) = row["refs"]
    small.git(project, "update-ref", ref, "HEAD")
    said = []
    prune.remove(project, [row], said.append)
    assert ref in small.git(project, "for-each-ref") and "is kept" in said[0]
