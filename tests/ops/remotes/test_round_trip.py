"""A project goes to a remote and comes back in a fresh clone, where nothing is computed again; ten people at once."""

import json
import shutil
import subprocess
import sys
from contextlib import nullcontext

import pytest
import remote_servers as servers
import small_models as small
from dvc.repo import Repo
from helpers import PROJECT, run_in, some

from pipelines.ops.registry import cache_references, push_pull, versions
from pipelines.ops.remotes import local_cache, remote_store, transfer
from pipelines.ops.retention import dvc_cache

KINDS = {"folder": lambda place: nullcontext(servers.folder(place)), "ssh": servers.ssh, "s3": servers.s3}

SHARDS = """
    for number in range(2):
        Path(f"data/audio/music/{number}.shard").write_text(f"shard {number}")
    sys.exit()
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project whose first model is the champion, committed."""
    return small.with_champion(tmp_path_factory.mktemp("round") / "project")


@pytest.fixture(params=some(KINDS, "folder"))
def remote(request, tmp_path):
    with KINDS[request.param](tmp_path / "remote") as remote:
        yield remote


def clone(project, to):
    subprocess.run(["git", "clone", "-q", project, to], check=True)
    return to


def command(folder, *arguments, remote, check=True):
    return run_in(
        folder, sys.executable, *small.COMMAND, *arguments, check=check, PYTHONPATH=str(PROJECT), **remote.variables
    )


def test_a_fresh_clone_computes_nothing(trained, remote, tmp_path):
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    remote.add(project)
    small.commit(project, "remote")
    assert " files pushed" in command(project, "push", remote=remote).stdout
    other = clone(project, tmp_path / "other")
    run_in(other, *servers.DVC, "pull", "-q", **remote.variables)  # DVC's own command, which a person would type
    assert "Nothing to do: all 5 stages" in command(other, "run", remote=remote).stdout
    assert not (other / ".cache/clips").exists()
    assert small.git(other, "status", "--porcelain") == ""
    for folder in (".dvc/cache", "data", "models"):  # ours, and the champion's files by their hash
        shutil.rmtree(other / folder)
    assert ": 0 files fetched" not in command(other, "pull", remote=remote).stdout
    assert (other / "models/tagging/short/config.json").exists()
    for folder in (".dvc/cache", "models"):
        shutil.rmtree(other / folder)
    command(other, "models", "export", "short", "champion", remote=remote)
    assert json.loads((other / "champion/config.json").read_text())["skill"] == 2.0


def test_what_registered_models_need_is_pushed_too(trained, tmp_path):
    """Whatever the remote lost, and although this tree has another model: so a champion's bytes are never here alone."""
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    remote = servers.folder(tmp_path)
    remote.add(project)
    small.edit(project, "skill: 2.0", "skill: 3.0")
    small.repro(project)
    folder = project / ".dvc/cache/files/md5"
    champion = versions.load(project, "short", 1)["hashes"]["models/tagging/short"]
    with Repo(str(project)) as repo:
        mine = transfer.push(repo, cache_references.of_tree(repo))
        shelved = remote_store.open_remote(repo)
        assert champion not in remote_store.sizes(shelved)
        assert transfer.push(repo, cache_references.of_versions(project) | cache_references.of_tree(repo)) > 0
        there = remote_store.sizes(shelved)
        assert {champion, *dvc_cache.listing(folder, champion)} <= set(there) and len(there) > mine
    (folder / champion[:2] / champion[2:]).unlink()
    shutil.rmtree(remote.path)
    failed = command(project, "push", remote=remote, check=False)
    assert failed.returncode == 1 and "listing is missing here and in the remote: models/tagging/short" in failed.stderr


def test_what_was_purged_is_not_fetched_again(trained, tmp_path):
    """Nor missed: a registered model's input that held a withdrawn clip stays away, here and in the remote."""
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    remote = servers.folder(tmp_path)
    remote.add(project)
    small.edit(project, "skill: 2.0", "skill: 3.0")
    small.repro(project)
    command(project, "push", remote=remote)
    folder = project / ".dvc/cache/files/md5"
    champion = versions.load(project, "short", 1)["hashes"]["models/tagging/short"]
    with Repo(str(project)) as repo:
        mine = {
            each
            for md5 in cache_references.of_tree(repo)
            if md5.endswith(".dir")
            for each in dvc_cache.listing(folder, md5)
        }
    gone = next(md5 for md5 in dvc_cache.listing(folder, champion) if md5 not in mine)
    file = folder / gone[:2] / gone[2:]
    file.unlink()
    (project / cache_references.PURGED).write_text(json.dumps({gone: "models/tagging/short/a shard"}))
    said = command(project, "pull", "--models", remote=remote).stdout
    assert not file.exists() and ": 0 files fetched" in said
    assert "1 skipped because they contain withdrawn clips" in said
    next(remote.path.rglob(gone[2:])).unlink()
    assert "1 skipped because" in command(project, "pull", "--models", remote=remote).stdout
    assert "1 skipped because" in command(project, "push", remote=remote).stdout
    heard, tree = [], min(mine)
    (folder / tree[:2] / tree[2:]).unlink()
    next(remote.path.rglob(tree[2:])).unlink()
    small.git(project, "checkout", "-q", "-b", "newer")
    (project / cache_references.PURGED).write_text(json.dumps({tree: "data/a shard"}))
    small.git(project, "add", str(cache_references.PURGED))
    small.git(project, "commit", "-q", "-m", "Purged")
    small.git(project, "checkout", "-q", "main")
    for carried in (push_pull.push_tree, push_pull.pull_tree):
        carried(project, heard.append)
    assert all("1 skipped because" in line for line in heard) and len(heard) == 2


def test_what_was_purged_does_not_come_back_with_an_older_commit(trained, tmp_path):
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    older = small.git(project, "rev-parse", "HEAD")
    (project / cache_references.PURGED).write_text(json.dumps({"0" * 32: "data/a shard"}))
    small.git(project, "add", str(cache_references.PURGED))
    small.git(project, "commit", "-q", "-m", "Purged")
    small.git(project, "checkout", "-q", older)
    assert not (project / cache_references.PURGED).exists() and cache_references.purged(project) == {
        "0" * 32: "data/a shard"
    }
    small.git(project, "checkout", "-q", "-b", "elsewhere")
    small.git(project, "commit", "-q", "--allow-empty", "-m", "Work that began before the purge")
    assert cache_references.purged(project) == {"0" * 32: "data/a shard"}
    small.git(project, "checkout", "-q", "main")
    (project / cache_references.PURGED).write_text("{}")  # the clip may be heard again
    small.git(project, "commit", "-q", "-am", "Withdrawn by mistake")
    assert cache_references.purged(project) == {}


@pytest.mark.system
def test_an_older_commit_lacks_what_was_purged_and_nothing_else(trained, tmp_path):
    """One shard of several, and an output that is a file; the newer commit that purged them is on another branch."""
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    small.edit(project, "    sys.exit()\n", SHARDS, "steps.py")
    small.repro(project)
    remote = servers.folder(tmp_path)
    remote.add(project)
    small.commit(project, "remote")
    command(project, "push", remote=remote)
    purged = ["data/audio/music/1.shard", "data/embeddings/music/short.parquet"]
    with Repo(str(project)) as repo:
        gone = {local_cache.digest(project / path): path for path in purged}
        for md5 in gone:
            local_cache.path(repo, md5).unlink()
    small.git(project, "checkout", "-q", "-b", "newer")
    (project / cache_references.PURGED).write_text(json.dumps(gone))
    small.commit(project, "Purged")
    small.git(project, "checkout", "-q", "main")
    for folder in ("data", "models"):
        shutil.rmtree(project / folder)
    for _ in range(2):  # the second meets what the first laid out
        done = command(project, "pull", remote=remote, check=False)
        assert done.returncode == 1 and "1 of 3 files, the others are there" in done.stderr
        assert "with a withdrawn clip were purged: data/audio/music (" in done.stderr
        assert f"{purged[1]} (1 of 1 files)" in done.stderr and "`conservatory run` makes them again" in done.stderr
        assert "stand in the way" not in done.stderr and "ERROR" not in done.stderr
        assert sorted(path.name for path in (project / "data/audio/music").iterdir()) == ["0.shard", "index.parquet"]
        for path in ("models/tagging/short/config.json", "data/predictions/tagging/music/short.parquet"):
            assert (project / path).exists()
    mine = project / "data/features/music/pooled/pooled.parquet"  # and a file of the user's stands in the way
    mine.unlink()
    mine.write_text("mine")
    done = command(project, "pull", remote=remote, check=False)
    assert done.returncode == 1 and mine.read_text() == "mine" and "move them away, and pull again" in done.stderr
    assert "with a withdrawn clip were purged: data/audio/music (" in done.stderr
    mine.unlink()
    command(project, "run", remote=remote)
    assert all((project / path).exists() for path in purged)
    assert "contain withdrawn clips" in command(project, "pull", remote=remote).stdout


def test_a_pull_that_fetched_nothing_says_nothing_of_it(trained, tmp_path):
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    remote = servers.folder(tmp_path)
    remote.add(project)
    command(project, "push", remote=remote)
    path = project / "data/features/music/pooled/pooled.parquet"
    path.unlink()
    path.write_text("mine")
    failed = command(project, "pull", remote=remote, check=False)
    assert failed.returncode == 1 and path.read_text() == "mine"
    assert "Some outputs could not be checked out" in failed.stderr and "The fetched files" not in failed.stderr


@pytest.mark.system
@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_ten_people_pull_at_once(trained, kind, tmp_path):
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    with KINDS[kind](tmp_path / "remote") as remote:
        remote.add(project)
        small.commit(project, "remote")
        command(project, "push", remote=remote)
        clones = [clone(project, tmp_path / f"clone{n}") for n in range(10)]
        commands = [
            [sys.executable, *small.COMMAND, "pull"] if n % 5 == 1 else [*servers.DVC, "pull", "-q"] for n in range(10)
        ]
        environment = small.environment(**remote.variables)
        people = [
            subprocess.Popen(
                c, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for c, folder in zip(commands, clones, strict=True)
        ]
        said = [person.communicate()[0] for person in people]
        assert [person.returncode for person in people] == [0] * 10, said
    wanted = (project / "data/features/music/pooled/pooled.parquet").read_bytes()
    assert all((each / "data/features/music/pooled/pooled.parquet").read_bytes() == wanted for each in clones)
    done = run_in(clones[1], sys.executable, "-m", "dvc", "status", "-q", check=False)
    assert done.returncode == 0, done.stdout
