"""A project goes to a remote and comes back in a fresh clone, where nothing is computed again; ten people at once."""

import json
import shutil
import subprocess
import sys
from contextlib import nullcontext

import pytest
import servers
import small_models as small
from helpers import PROJECT, run_in

from pipelines.registry import retrain

KINDS = {"folder": lambda place: nullcontext(servers.folder(place)), "ssh": servers.ssh, "s3": servers.s3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project whose first model is the champion, committed."""
    project = small.create(tmp_path_factory.mktemp("round") / "project")
    retrain.judge(project, ["short"], small.repro(project), {}, "first", say=print)
    return project


@pytest.fixture(params=KINDS)
def remote(request, tmp_path):
    with KINDS[request.param](tmp_path / "remote") as remote:
        yield remote


def clone(project, to):
    subprocess.run(["git", "clone", "-q", project, to], check=True)
    return to


def command(folder, *arguments, remote, check=True):
    return run_in(folder, *small.COMMAND, *arguments, check=check, PYTHONPATH=str(PROJECT), **remote.variables)


def test_a_fresh_clone_computes_nothing(trained, remote, tmp_path):
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    remote.add(project)
    small.commit(project, "remote")
    assert " files pushed" in command(project, "push", remote=remote).stdout
    assert ": 0 files pushed" in command(project, "push", remote=remote).stdout
    plain = clone(project, tmp_path / "plain")
    run_in(plain, *servers.DVC, "pull", "-q", **remote.variables)
    ours = clone(project, tmp_path / "ours")
    command(ours, "pull", remote=remote)
    for each in (plain, ours):
        assert "Nothing to do: all 5 stages" in command(each, "run", remote=remote).stdout
        assert not (each / ".cache/clips").exists()
        assert small.git(each, "status", "--porcelain") == ""
    # the champion's files come by their hash, hashed on arrival
    command(ours, "models", "export", "short", "champion", remote=remote)
    assert json.loads((ours / "champion/config.json").read_text())["skill"] == 2.0


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_ten_people_pull_at_once(trained, kind, tmp_path):
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    with KINDS[kind](tmp_path / "remote") as remote:
        remote.add(project)
        small.commit(project, "remote")
        command(project, "push", remote=remote)
        clones = [clone(project, tmp_path / f"clone{n}") for n in range(10)]
        # DVC's own command, which a person would type; five of ours among them
        commands = [[*small.COMMAND, "pull"] if n % 2 else [*servers.DVC, "pull", "-q"] for n in range(10)]
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
