"""Faults between a cache and a remote: damaged, incomplete and missing files, full disks, kills. The next try succeeds."""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from contextlib import nullcontext
from pathlib import Path

import needs
import numpy as np
import pytest
import remote_servers as servers
import small_models as small
from dvc.repo import Repo
from helpers import run_in

from pipelines.ops.registry import cache_references
from pipelines.ops.remotes import local_cache, remote_store, transfer
from pipelines.ops.remotes.remote_store import RemoteError

N = 8
SIZE = 100_000


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A project with a folder of files and one beside it, in DVC's cache."""
    return make(tmp_path_factory.mktemp("added") / "project", N, SIZE)


def make(project: Path, n: int, size: int) -> Path:
    (project / "data").mkdir(parents=True)
    small.git(project, "init", "-q", "-b", "main")
    small.git(project, "config", "user.name", "A Tester")
    small.git(project, "config", "user.email", "tester@example.org")
    (project / "params.yaml").write_text("datasets: {}\n")  # by which a project is known
    rng = np.random.default_rng(1)
    for number in range(n):
        (project / f"data/{number}.bin").write_bytes(rng.bytes(size))
    (project / "alone.bin").write_bytes(rng.bytes(size))
    run_in(project, *servers.DVC, "init", "-q")
    run_in(project, *servers.DVC, "add", "-q", "data", "alone.bin")
    return project


@pytest.fixture
def project(added, tmp_path):
    return shutil.copytree(added, tmp_path / "project", symlinks=True)


@pytest.fixture
def remote(project, tmp_path):
    remote = servers.folder(tmp_path)
    remote.add(project)
    return remote


def push(project, **options):
    with Repo(str(project)) as repo:
        return transfer.push(repo, cache_references.of_tree(repo), **options)


def pull(project, **options):
    with Repo(str(project)) as repo:
        return transfer.pull(repo, cache_references.of_tree(repo), **options)


def clone(project, remote, to):
    small.commit(project, "data")
    subprocess.run(["git", "clone", "-q", project, to], check=True)
    return to


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def kept(project, name="data/3.bin") -> Path:
    """Where the cache has a file of the project."""
    hash = md5((project / name).read_bytes())
    return project / ".dvc/cache/files/md5" / hash[:2] / hash[2:]


def spoil(file: Path, cut: bool = False) -> None:
    file.chmod(0o644)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2] if cut else data[:-1] + bytes([data[-1] ^ 1]))
    file.chmod(0o444)


def objects(folder: Path) -> dict[str, bool]:
    """Hash -> is it what it says, of every file that lies in a remote (or cache) under a final name."""
    found = (file for file in (folder / "files/md5").glob("??/*") if not file.name.endswith(".tmp"))
    return {f.parent.name + f.name: md5(f.read_bytes()) == (f.parent.name + f.name)[:32] for f in found}


def whole(remote) -> bool:
    there = objects(remote.path)
    return len(there) == N + 2 and all(there.values())


def test_a_spoilt_cache_file_is_made_good_from_the_project_or_does_not_leave(project, remote, capsys):
    spoil(kept(project))
    assert push(project) == N + 2 and whole(remote)  # the project's own file is another, and good
    assert "moved to" in capsys.readouterr().out and len(list((project / local_cache.ASIDE).iterdir())) == 1
    shutil.rmtree(remote.path)
    # a link to it, as hard-linked caches have: the bytes are nowhere
    good, name = (project / "data/5.bin").read_bytes(), project / "data/5.bin"
    file = kept(project, "data/5.bin")
    name.unlink()
    os.link(file, name)
    spoil(file)
    with pytest.raises(RemoteError, match=r"1 files, data/5.bin .*`conservatory run` makes those of this tree again"):
        push(project)
    there = objects(remote.path)
    assert len(there) == N and all(there.values()), "neither it nor the listing that promises it"
    assert not name.exists() and not file.exists()
    name.write_bytes(good)
    assert push(project) == 2 and whole(remote)


@pytest.mark.fault
def test_a_spoilt_cache_file_is_fetched_again(project, remote, tmp_path):
    push(project)
    other = clone(project, remote, tmp_path / "other")
    assert pull(other) == N + 1  # the listing came first
    run_in(other, *servers.DVC, "config", "cache.type", "hardlink")
    run_in(other, *servers.DVC, "checkout", "-q")
    file = other / "data/3.bin"
    spoil(kept(other))
    assert file.samefile(kept(project, "data/3.bin")) is False
    done = small.conservatory(other, "pull")
    assert "Damaged in DVC's cache" in done.stdout and "1 files fetched" in done.stdout
    assert file.read_bytes() == (project / "data/3.bin").read_bytes()
    assert all(objects(other / ".dvc/cache").values())


@pytest.mark.parametrize("cut", [True, False])
def test_a_file_spoilt_in_the_remote_is_refused_and_mended(project, remote, tmp_path, cut):
    push(project)
    hash = md5((project / "data/3.bin").read_bytes())
    spoil(remote.path / "files/md5" / hash[:2] / hash[2:], cut)
    other = clone(project, remote, tmp_path / "other")
    with pytest.raises(RemoteError, match=r"damaged there: 1 files, data/3.bin .*push --verify"):
        pull(other)
    there = objects(other / ".dvc/cache")
    assert len(there) == N + 1 and all(there.values()), "all else came"
    assert push(project, thorough=not cut) == 1 and whole(remote)  # half a file is seen by its size
    assert pull(other) == 1


def test_what_the_remote_lost_is_pushed_again_and_what_is_nowhere_is_an_error(project, remote):
    push(project)
    hash = md5((project / "data/3.bin").read_bytes())
    (remote.path / "files/md5" / hash[:2] / hash[2:]).unlink()  # the listing that names it is still there
    assert push(project) == 1 and whole(remote)
    shutil.rmtree(remote.path)
    kept(project).unlink()
    (project / "data/3.bin").unlink()
    with pytest.raises(RemoteError, match="missing here and in the remote: 1 files, data/3.bin"):
        push(project)


@pytest.fixture
def disk(tmp_path):
    """A disk with room for three of the files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    needs.mount(folder, f"{3 * SIZE // 4096 * 4}k")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def enlarge(disk):
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)


@pytest.mark.fault
def test_a_full_remote(project, disk):
    remote = servers.folder(disk)
    remote.add(project)
    with pytest.raises(RemoteError, match="it is full .*Free space there"):
        push(project)
    assert all(objects(remote.path).values()) and not list(disk.rglob("*.tmp"))
    enlarge(disk)
    push(project)
    assert whole(remote)


@pytest.mark.fault
def test_a_full_disk_here(project, remote, disk, tmp_path):
    push(project)
    other = clone(project, remote, tmp_path / "other")
    run_in(other, *servers.DVC, "config", "--local", "cache.dir", str(disk / "cache"))
    done = small.conservatory(other, "pull", check=False)
    assert (
        done.returncode == 1 and "the disk here is full" in done.stderr and "the same command continues" in done.stderr
    )
    assert not list(disk.rglob("*.tmp")) and all(objects(disk / "cache").values())
    enlarge(disk)
    small.conservatory(other, "pull")
    assert (other / "data/3.bin").read_bytes() == (project / "data/3.bin").read_bytes()


@pytest.mark.fault
def test_s3_that_is_full_gone_and_back(project, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with servers.s3(tmp_path / "s3", quota=4 * SIZE) as remote:
        remote.add(project)
        for name, value in remote.variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(RemoteError, match="it is full .*InsufficientStorage"):
            push(project)
        port = int(remote.options["endpointurl"].rsplit(":", 1)[1])
    with pytest.raises(RemoteError, match="does not answer"):
        push(project)
    with servers.s3(tmp_path / "s3", port, die_at=5), pytest.raises(RemoteError, match="does not answer"):
        push(project)
    with servers.s3(tmp_path / "s3", port):
        assert push(project) == N + 2
        assert push(project, thorough=True) == 0
        other = clone(project, remote, tmp_path / "other")
        assert pull(other) == N + 1  # the listing came first


@pytest.mark.fault
@pytest.mark.cold
@pytest.mark.parametrize("kind", ["folder", "ssh"])
def test_a_push_that_is_killed(kind, tmp_path):
    project = make(tmp_path / "project", 6, 8_000_000)
    remote = servers.folder(tmp_path) if kind == "folder" else None
    with servers.ssh(tmp_path / "ssh") if kind == "ssh" else nullcontext() as started:
        remote = remote or started
        remote.add(project)
        process = small.start(project, "push")
        until = time.monotonic() + 60
        while not any(file.is_file() for file in remote.path.rglob("*")):  # the first bytes are there
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < until
        process.send_signal(signal.SIGKILL)
        process.communicate()
        there = objects(remote.path)
        assert all(there.values())  # nothing half under its name, and no listing before what it promises
        assert len(there) >= 7 or not any(hash.endswith(".dir") for hash in there)
        pushed = push(project)
        assert pushed + len(there) == 8 and len(objects(remote.path)) == 8
        assert pull(clone(project, remote, tmp_path / "other")) == 7


def test_a_remote_that_is_not_there_is_said(project):
    with pytest.raises(RemoteError, match="no default remote: dvc remote add"):
        push(project)
    with pytest.raises(RemoteError, match="no remote 'attic'; known remotes: none"):
        push(project, remote="attic")
    run_in(project, *servers.DVC, "remote", "add", "-q", "-d", "box", "gs://bucket/x")
    with pytest.raises(RemoteError, match="requires .dvc-gs. to be installed"):
        push(project)


def test_sizes_counts_what_has_a_hash_for_a_name(project, remote):
    push(project)
    (remote.path / "files/md5/ab").mkdir(exist_ok=True)
    (remote.path / "files/md5/ab/.cd.123.tmp").write_text("half")
    (remote.path / "files/md5/ab/note.txt").write_text("no hash")
    with Repo(str(project)) as repo:
        assert len(remote_store.sizes(remote_store.open_remote(repo))) == N + 2
