"""A withdrawn clip's bytes leave the caches, and what cannot leave is said."""

import hashlib
import json
from pathlib import Path

import audit_project
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.lineage import withdraw
from pipelines.registry import needed, worktree
from pipelines.remotes import cached
from pipelines.retention import stored, withdrawn

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
    assert "conservatory run first" in prune(), "this tree is still made of it"
    audit_project.repro(project)
    audit_project.commit(project, "withdrawn")
    Path(".cache/clips/pcm/ab").mkdir(parents=True)
    Path(".cache/clips/pcm/ab/abc.npy").write_bytes(b"1")
    Path(".cache/downloads").mkdir(parents=True)
    Path(".cache/downloads/music.zip").write_bytes(b"many clips")
    Path(".cache/downloads/3.wav").write_text(CLIP)
    said = prune()
    assert holding() == before and "an archive may hold the clip" in said and "Nothing was touched" in said
    prune("--yes")
    left = holding()
    # the dataset is made whole by its stage, so its file of this clip stays with it; the shards of both older results went
    assert len(before) > len(left) == 1
    assert Path(left[0]).read_text() == CLIP and published in said
    assert not list(Path(".cache/clips").glob("*/??/*")) and not Path(".cache/downloads/3.wav").exists()
    assert Path(".cache/downloads/music.zip").exists()
    purged = json.loads(needed.PURGED.read_text())
    assert all(path.startswith("data/audio/one/shard-") for path in purged.values()) and purged
    assert all(row["kept"] for row in withdrawn.find(project, stored.folder(project))), "nothing more to purge"
    assert "Goes: nothing" in prune()
    audit_project.repro(project)  # this tree needs none of it


def test_copies_outside_the_cache_go_too_or_are_named(project, tmp_path):
    withdraw.write({CONTENT: "a letter"})
    shard = next(path for path in sorted(Path("data/audio/one").glob("shard-*")) if CLIP in path.read_text())
    shards = {path.name: path.read_bytes() for path in Path("data/audio/one").glob("shard-*")}
    name = cached.digest(shard)
    trees = [Path(".cache/retrain/idle"), Path(".cache/retrain/busy"), tmp_path / "mine"]
    audit_project.git(project, "worktree", "add", "-q", str(trees[2]))
    for tree in trees:
        (tree / "data/audio/one").mkdir(parents=True, exist_ok=True)
        for each, content in shards.items():
            (tree / "data/audio/one" / each).write_bytes(content)
    (trees[0] / "data/audio/one/a link").symlink_to(Path(".dvc/cache/files/md5", name[:2], name[2:]).absolute())
    cached.ASIDE.mkdir(parents=True)
    (cached.ASIDE / name).write_text(f"half of {CLIP}")
    (cached.ASIDE / ("0" * 32)).write_text("another")
    assert "conservatory run first" in prune()
    audit_project.repro(project)
    audit_project.commit(project, "withdrawn")

    copies = [tree / "data/audio/one" / shard.name for tree in trees]
    with worktree.held(project, "busy"):
        assert "retraining busy is at work" in prune("--yes") and all(copy.exists() for copy in copies)
    cache = Path(".dvc/cache/files/md5", name[:2], name[2:])
    cache.unlink()  # the copies are known although it is gone
    said = prune("--yes")
    assert [copy.exists() for copy in copies] == [False, False, True] and "in a worktree that somebody made" in said
    assert [path.name for path in cached.ASIDE.iterdir()] == ["0" * 32]
    for tree in trees[:2]:
        assert len(list((tree / "data/audio/one").glob("shard-*"))) == len(shards) - 1, "the others stay"
    assert name in json.loads(needed.PURGED.read_text())
    copies[0].write_bytes(shards[shard.name])
    prune("--yes")
    assert not copies[0].exists(), "the next time too"


def test_without_a_withdrawn_clip_there_is_nothing_to_purge(project):
    assert "withdrawn " not in prune()
