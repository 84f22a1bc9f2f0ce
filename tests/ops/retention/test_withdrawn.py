"""A withdrawn clip's bytes leave the caches, and what cannot leave is said."""

import hashlib
import json
from pathlib import Path

import audit_project
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.ops.lineage import withdraw
from pipelines.ops.lineage.revision import Revision
from pipelines.ops.patches.cache import of_project
from pipelines.ops.registry import cache_references, worktree
from pipelines.ops.remotes import local_cache
from pipelines.ops.retention import withdrawn

CLIP = "sound 3"
CONTENT = hashlib.sha256(CLIP.encode()).hexdigest()


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = audit_project.create(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


def holding() -> list[str]:
    """The files of DVC's cache in which the clip can be read."""
    return [str(path) for path in Path(".dvc/cache/files/md5").glob("??/*") if CLIP.encode() in path.read_bytes()]


def prune(*options):
    result = CliRunner().invoke(app, ["prune", "--withdrawn", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stdout


def test_its_bytes_leave_older_results(project):
    published = f"data/raw/one/{CLIP[-1]}.wav"
    assert Path(published).read_text() == CLIP
    before = holding()
    withdraw.write({CONTENT: "a letter"})
    assert "first run conservatory run" in prune(), "this tree is still made of it"
    audit_project.repro(project)
    audit_project.commit(project, "withdrawn")
    Path(".cache/clips/pcm/ab").mkdir(parents=True)
    Path(".cache/clips/pcm/ab/abc.npy").write_bytes(b"1")
    Path(".cache/downloads").mkdir(parents=True)
    Path(".cache/downloads/music.zip").write_bytes(b"many clips")
    Path(".cache/downloads/3.wav").write_text(CLIP)
    said = prune()
    assert holding() == before and "an archive may contain the clip" in said and "Nothing was deleted" in said
    prune("--yes")
    left = holding()
    # the dataset is made whole by its stage, so its file of this clip stays with it; the shards of both older results went
    assert len(before) > len(left) == 1
    assert Path(left[0]).read_text() == CLIP and published in said
    assert not list(Path(".cache/clips").glob("*/??/*")) and not Path(".cache/downloads/3.wav").exists()
    assert Path(".cache/downloads/music.zip").exists()
    purged = json.loads(cache_references.PURGED.read_text())
    kinds = {path.rpartition("-")[0] or path for path in purged.values()}
    assert kinds == {"data/audio/one/shard", "reports/index.html"}
    assert all(row["kept"] for row in withdrawn.find(project, of_project(project))), "nothing more to purge"
    assert "To delete: nothing" in prune()
    audit_project.repro(project)  # this tree needs none of it


@pytest.mark.system
def test_copies_outside_the_cache_go_too_or_are_named(project, tmp_path):
    withdraw.write({CONTENT: "a letter"})
    shard = next(path for path in sorted(Path("data/audio/one").glob("shard-*")) if CLIP in path.read_text())
    shards = {path.name: path.read_bytes() for path in Path("data/audio/one").glob("shard-*")}
    name = local_cache.digest(shard)
    trees = [Path(".cache/retrain/idle"), Path(".cache/retrain/busy"), tmp_path / "mine"]
    audit_project.git(project, "worktree", "add", "-q", str(trees[2]))
    for tree in trees:
        (tree / "data/audio/one").mkdir(parents=True, exist_ok=True)
        for each, content in shards.items():
            (tree / "data/audio/one" / each).write_bytes(content)
    (trees[0] / "data/audio/one/a link").symlink_to(Path(".dvc/cache/files/md5", name[:2], name[2:]).absolute())
    local_cache.ASIDE.mkdir(parents=True)
    (local_cache.ASIDE / name).write_text(f"half of {CLIP}")
    (local_cache.ASIDE / ("0" * 32)).write_text("another")
    assert "first run conservatory run" in prune()
    audit_project.repro(project)
    audit_project.commit(project, "withdrawn")

    copies = [tree / "data/audio/one" / shard.name for tree in trees]
    with worktree.held(project, "busy"):
        assert "retraining busy is running" in prune("--yes") and all(copy.exists() for copy in copies)
    cache = Path(".dvc/cache/files/md5", name[:2], name[2:])
    cache.unlink()  # the copies are known although it is gone
    said = prune("--yes")
    assert [copy.exists() for copy in copies] == [False, False, True] and "in a worktree made by a user" in said
    assert [path.name for path in local_cache.ASIDE.iterdir()] == ["0" * 32]
    for tree in trees[:2]:
        assert len(list((tree / "data/audio/one").glob("shard-*"))) == len(shards) - 1, "the others stay"
    assert name in json.loads(cache_references.PURGED.read_text())
    copies[0].write_bytes(shards[shard.name])
    prune("--yes")
    assert not copies[0].exists(), "the next time too"


def test_without_a_withdrawn_clip_there_is_nothing_to_purge(project):
    assert "  withdrawn " not in prune()


def cached_report() -> Path:
    md5 = Revision().hash("reports/index.html")
    return Path(".dvc/cache/files/md5", md5[:2], md5[2:])


@pytest.mark.system
def test_reports_that_may_play_it_go_and_the_present_one_stays(project):
    """Also what no reference names: of an older commit of a branch, and of a run that nobody committed."""
    audit_project.git(project, "tag", "-d", "first", "second")
    audit_project.edit(Path("params.yaml"), "2.0e-05", "3.0e-05")
    audit_project.repro(project)
    old, before = cached_report(), {Path(path) for path in holding()}
    assert old in before and len(before) == 5, "as published, a shard, three reports"
    withdraw.write({CONTENT: "a letter"})
    assert "it is reports/index.html of this tree; first run conservatory run" in prune()
    audit_project.repro(project, "manifest", "audio")  # and no further: the report is older than what lies beside it
    assert "it is reports/index.html of this tree; first run conservatory run" in prune("--yes") and old.exists()
    audit_project.repro(project)
    audit_project.commit(project, "withdrawn")
    new = cached_report()
    assert CLIP not in new.read_text()
    assert prune().count("reports/index.html") == 1, "two went before, and this one's is not named"
    prune("--yes")
    assert [path.read_text() for path in before if path.exists()] == [CLIP], "as published"
    assert new.exists() and Path("reports/index.html").exists()
    assert "reports/index.html" not in prune() and "To delete: nothing" in prune()
    assert old.parent.name + old.name in json.loads(cache_references.PURGED.read_text())


@pytest.mark.system
def test_a_report_of_which_nothing_is_known_goes(project):
    """The audio it was made of has gone from the cache."""
    old = cached_report()
    md5 = Revision().hash("data/audio/one")
    audit_project.edit(Path("params.yaml"), "one: {n: 6}", "one: {n: 5}")
    audit_project.repro(project)
    audit_project.commit(project, "fewer")
    new = cached_report()
    Path(".dvc/cache/files/md5", md5[:2], md5[2:]).unlink()
    withdraw.write({hashlib.sha256(b"sound z").hexdigest(): "before it came"})
    prune("--yes")
    assert not old.exists() and new.exists()


@pytest.mark.system
def test_what_to_do_repeats_what_was_asked(project):
    assert "To delete: conservatory prune --withdrawn --yes" in prune()
    said = prune("--also", "downloads", "--also", "corrupt", "--dry-run")
    assert "To delete: conservatory prune --withdrawn --also downloads --also corrupt --yes" in said
    assert "To delete: conservatory prune --yes" in CliRunner().invoke(app, ["prune"]).stdout


@pytest.mark.system
def test_archives_go_as_it_is_said(project, tmp_path):
    """Also where DVC's cache lies outside the project, and is left alone."""
    Path(".dvc/cache").rename(tmp_path / "cache")
    Path(".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'cache'}\n")
    Path(".cache/downloads").mkdir(parents=True)
    Path(".cache/downloads/music.zip").write_bytes(b"many clips")
    assert "outside the project" in prune("--also", "downloads", "--yes")
    assert not Path(".cache/downloads").exists()


@pytest.mark.system
def test_locks_that_cannot_be_read_are_named(project):
    lock = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text("<<<<<<< HEAD\nstages: [\n")
    audit_project.commit(project, "A merge in a hurry")
    bad = audit_project.git(project, "rev-parse", "HEAD")
    withdraw.write({CONTENT: "a letter"})
    result = CliRunner().invoke(app, ["prune", "--withdrawn"])
    assert result.exit_code == 2 and "dvc.lock is damaged" in result.stderr
    Path("dvc.lock").write_text(lock)
    audit_project.commit(project, "mended")
    assert f"dvc.lock of {bad[:12]}" in prune()
