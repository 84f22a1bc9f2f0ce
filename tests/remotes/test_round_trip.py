"""A project goes to a remote and comes back in a fresh clone, where nothing is computed again; ten people at once."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext

import pytest
import servers
import small_models as small
from helpers import PROJECT, run_in

from pipelines.registry import retrain

LONG = pytest.mark.skipif(not os.environ.get("CONSERVATORY_REMOTES"), reason="a minute longer: make remotes")
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


@pytest.mark.parametrize("kind", ["folder", pytest.param("s3", marks=LONG)])
def test_ten_people_pull_at_once(trained, kind, tmp_path):
    project = shutil.copytree(trained, tmp_path / "project", symlinks=True)
    with KINDS[kind](tmp_path / "remote") as remote:
        remote.add(project)
        small.commit(project, "remote")
        command(project, "push", remote=remote)
        clones = [clone(project, tmp_path / f"clone{n}") for n in range(10)]
        commands = [[*small.COMMAND, "pull"] if n % 5 == 1 else [*servers.DVC, "pull", "-q"] for n in range(10)]
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
