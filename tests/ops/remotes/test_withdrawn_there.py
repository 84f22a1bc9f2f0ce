"""What was purged because a clip in it was withdrawn is deleted from a remote: that, and nothing else."""

import json
import shutil
import sys
from contextlib import nullcontext

import pytest
import remote_servers as servers
import small_models as small
import yaml
from helpers import PROJECT, run_in, some
from test_remote_faults import added, kept, make, md5  # noqa: F401

from pipelines.ops.registry import cache_references

KINDS = {"folder": lambda place: nullcontext(servers.folder(place)), "ssh": servers.ssh, "s3": servers.s3}


@pytest.fixture
def project(added, tmp_path):  # noqa: F811
    return shutil.copytree(added, tmp_path / "project", symlinks=True)


@pytest.fixture(params=some(KINDS, "folder"))
def remote(request, project, tmp_path):
    with KINDS[request.param](tmp_path / "server") as remote:
        remote.add(project)
        yield remote


def command(project, remote, *arguments, check=True):
    return run_in(
        project, sys.executable, *small.COMMAND, *arguments, check=check, **remote.variables, PYTHONPATH=str(PROJECT)
    )


def prune(project, remote, *options, check=True):
    return command(project, remote, "prune", "--withdrawn", "--remote", "shelf", *options, check=check)


def there(project, remote):
    """The hashes in the remote, asked of it as `conservatory push` does."""
    code = (
        "from dvc.repo import Repo; from pipelines.ops.remotes import remote_store\n"
        "with Repo('.') as repo: print(*remote_store.sizes(remote_store.open_remote(repo)))"
    )
    environment = {**remote.variables, "PYTHONPATH": str(PROJECT)}
    return set(run_in(project, servers.DVC[0], "-c", code, **environment).stdout.split())


def withdrawn(project, *names):
    """Files of the first result that the second is made without, and what was purged of it. Returns their hashes."""
    gone = {}
    for name in names:
        gone[md5((project / name).read_bytes())] = name
        kept(project, name).unlink()
        (project / name).unlink()
    run_in(project, *servers.DVC, "add", "-q", "data")
    (project / "registry").mkdir(exist_ok=True)
    (project / cache_references.PURGED).write_text(json.dumps(gone))
    return set(gone)


def test_what_was_purged_is_listed_then_deleted_and_nothing_else(project, remote):
    command(project, remote, "push")
    before = there(project, remote)
    gone = withdrawn(project, "data/2.bin", "data/3.bin")
    said = prune(project, remote).stdout
    assert "To delete: 0.2 MB" in said and "data/2.bin" in said and "data/3.bin" in said
    assert "To delete: conservatory prune --withdrawn --remote shelf --yes" in said
    assert there(project, remote) == before and gone < before
    assert "Done." in prune(project, remote, "--yes").stdout
    assert there(project, remote) == before - gone
    said = prune(project, remote, "--yes").stdout
    assert "To delete: nothing" in said and "never pushed: 2 files\n  data/2.bin" in said
    # and it does not come back
    command(project, remote, "push")
    assert there(project, remote) & gone == set()


@pytest.mark.system
def test_what_was_let_in_again_is_carried_again(project, tmp_path):
    """As long as what is withdrawn now was withdrawn in the run that made it."""
    remote = servers.folder(tmp_path)
    remote.add(project)
    command(project, remote, "push")
    two = (project / "data/2.bin").read_bytes()
    gone = withdrawn(project, "data/2.bin")
    prune(project, remote, "--yes")
    (project / "data/2.bin").write_bytes(two)
    run_in(project, *servers.DVC, "add", "-q", "data")
    stages = {"m": {"cmd": "m", "params": {"params.yaml": {"withdrawn": {}}}}}
    (project / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    (project / "dvc.yaml").write_text("stages:\n  m: {cmd: m, params: [withdrawn]}\n")
    (project / "params.yaml").write_text(f"withdrawn: {{{'a' * 64}: a letter}}\n")
    assert "1 skipped because" in command(project, remote, "push").stdout and not there(project, remote) & gone
    (project / "params.yaml").write_text("withdrawn: {}\n")
    command(project, remote, "push")
    assert gone < there(project, remote)
    shutil.rmtree(project / ".dvc/cache")
    shutil.rmtree(project / "data")
    command(project, remote, "pull")
    assert (project / "data/2.bin").read_bytes() == two


@pytest.mark.system
def test_one_that_was_cut_off_goes_on(project, tmp_path):
    remote = servers.folder(tmp_path)
    remote.add(project)
    command(project, remote, "push")
    gone = withdrawn(project, "data/2.bin", "data/3.bin")
    first = min(gone)
    (remote.path / "files/md5" / first[:2] / first[2:]).unlink()
    said = prune(project, remote, "--yes").stdout
    assert "To delete: 0.1 MB" in said and "never pushed: 1 files" in said and not there(project, remote) & gone


@pytest.mark.system
def test_what_this_tree_is_made_of_or_has_again_stays(project, tmp_path):
    """The clip was withdrawn by mistake, and what was purged is made again: by this tree, or by another whose files lie here."""
    remote = servers.folder(tmp_path)
    remote.add(project)
    command(project, remote, "push")
    two, place = (project / "data/2.bin").read_bytes(), kept(project, "data/2.bin")
    gone = withdrawn(project, "data/2.bin")
    mine = {md5((project / name).read_bytes()): name for name in ("alone.bin", "data/4.bin")}
    purged = json.loads((project / cache_references.PURGED).read_text()) | mine
    (project / cache_references.PURGED).write_text(json.dumps(purged))
    place.write_bytes(two)
    command(project, remote, "push")
    before = there(project, remote)
    said = prune(project, remote, "--yes").stdout
    assert "To delete: nothing" in said and there(project, remote) == before
    assert "it is data/4.bin of this tree" in said and "alone.bin of this tree" in said
    assert "it is in DVC's cache here again: run conservatory prune --withdrawn --yes first" in said
    place.unlink()
    prune(project, remote, "--yes")
    assert there(project, remote) == before - gone


@pytest.mark.system
def test_without_its_listings_nothing_goes(project, tmp_path):
    """A clone that has pulled nothing does not know what its folders hold: it asks the remote, and if that does not know either,
    stops."""
    remote = servers.folder(tmp_path)
    remote.add(project)
    withdrawn(project, "data/2.bin")
    command(project, remote, "push")
    mine = md5((project / "data/4.bin").read_bytes())
    (project / cache_references.PURGED).write_text(json.dumps({mine: "data/4.bin"}))
    shutil.rmtree(project / ".dvc/cache")
    shutil.rmtree(project / "data")
    assert "it is data/4.bin of this tree" in prune(project, remote, "--yes").stdout and mine in there(project, remote)
    shutil.rmtree(project / ".dvc/cache")
    for listing in remote.path.rglob("*.dir"):
        listing.unlink()
    failed = prune(project, remote, "--yes", check=False)
    assert failed.returncode == 2 and "The files that this tree needs are unknown" in failed.stderr
    assert mine in there(project, remote)


@pytest.mark.system
def test_what_may_not_be_deleted_is_named(project, tmp_path):
    with servers.s3(tmp_path / "server", keep=True) as remote:
        remote.add(project)
        command(project, remote, "push")
        gone = withdrawn(project, "data/2.bin", "data/3.bin")
        failed = prune(project, remote, "--yes", check=False)
        assert failed.returncode == 1 and "2 of 2 files could not be deleted" in failed.stderr
        assert "access is denied" in failed.stderr and "data/2.bin" in failed.stderr and "data/3.bin" in failed.stderr
        assert gone < there(project, remote)


@pytest.mark.fault
def test_a_server_that_is_gone_and_what_cannot_be_asked(project, tmp_path):
    with servers.s3(tmp_path / "server") as remote:
        remote.add(project)
        command(project, remote, "push")
    refused = prune(project, remote, check=False)
    assert refused.returncode == 2 and "no clip was withdrawn here" in refused.stderr
    withdrawn(project, "data/2.bin")
    failed = prune(project, remote, "--yes", check=False)
    assert failed.returncode == 1 and "it does not answer" in failed.stderr
    for options in (["--remote", "shelf"], ["--withdrawn", "--remote", "shelf", "--also", "downloads"]):
        refused = command(project, remote, "prune", *options, check=False)
        assert refused.returncode == 2 and "--remote needs --withdrawn and no other option" in refused.stderr
    failed = command(project, remote, "prune", "--withdrawn", "--remote", "elsewhere", check=False)
    assert failed.returncode == 1 and "There is no remote 'elsewhere'" in failed.stderr
