"""What a withdrawn clip was to registered models: they have heard it, whatever the working tree has now."""

import hashlib
import json
import shutil
from pathlib import Path

import audit_project
import pytest

from pipelines.ops.lineage import impact, trained_on, withdraw
from pipelines.ops.lineage.revision import LineageError, Revision, object_path

TRAIN = hashlib.sha256(b"sound 0").hexdigest()
MANIFEST = "data/manifests/one.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(project, hashes of what its models were made from): a clip that two versions were trained on is withdrawn there."""
    project = audit_project.create(tmp_path_factory.mktemp("registered") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        return project, _withdrawn(project)


@pytest.fixture
def withdrawn(made, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(made[0], tmp_path / "withdrawn", symlinks=True))
    return made[1]


def _withdrawn(project):
    hashes = {path: Revision().hash(path) for path in (MANIFEST, "data/audio/one", "models/tagging/short")}
    record = {"commit": Revision().commit, "dataset": "one", "leave_out": {"style": ["odd"]}, "hashes": hashes}
    folder = project / "registry/short"
    folder.mkdir(parents=True)
    for version in (1, 2):
        (folder / f"{version}.json").write_text(json.dumps(record | {"version": version}))
    (folder / "3.json").write_text("{ half")
    events = [("registered", 1), ("promoted", 1), ("registered", 2), ("promoted", 2)]
    (folder / "history.jsonl").write_text("".join(json.dumps({"event": e, "version": v}) + "\n" for e, v in events))
    withdraw.write({TRAIN: "a test"})
    audit_project.repro(project)
    return hashes


@pytest.mark.parametrize("asked", [TRAIN, TRAIN[:16], "song <0> of one"])
def test_a_clip_that_only_registered_versions_know(withdrawn, call, asked):
    status, out, errors = call("impact", asked)
    assert status == 0, errors
    assert "short 2 (champion, commit" in out and "short 1 (retired, commit" in out
    assert out.count("): trained on it") == 2 and "No manifest lists it any more." in out


def test_a_file_that_is_no_clip_any_more(withdrawn, call):
    assert call("impact", "data/raw/one/0.wav")[1].count("): trained on it") == 2


@pytest.mark.parametrize(
    ("sound", "role"), [("0", "reference"), ("1", "validation"), ("2", "held_out"), ("3", "outside")]
)
def test_what_it_was_to_each(withdrawn, sound, role):
    rows = impact.impact(Revision(), hashlib.sha256(f"sound {sound}".encode()).hexdigest())["registered"]
    assert [(row["model"], row["version"], row["role"]) for row in rows] == [("short", 1, role), ("short", 2, role)]


def test_remove_says_it_too(withdrawn, call):
    out = call("remove", TRAIN, "--why", "again")[1]
    assert "short 2 (champion, commit" in out and "trained on it" in out


def test_what_is_not_at_hand_cannot_be_told(withdrawn, call):
    object_path(withdrawn[MANIFEST]).unlink()
    other = hashlib.sha256(b"sound 2").hexdigest()
    assert {row["role"] for row in trained_on.find(other)} == {None}
    assert "unknown: its manifest is not available" in call("impact", other)[1]
    with pytest.raises(LineageError, match="was not found in the working tree"):
        impact.impact(Revision(), TRAIN)


def test_what_was_purged_is_not_to_be_pulled(project, call):
    path = "models/tagging/short/weights.json"
    md5 = Revision().hash(path)
    Path(path).unlink()
    object_path(md5).unlink()
    assert "`dvc pull` fetches it" in call("trace", "short", "--verify")[1]
    Path("registry").mkdir()
    Path("registry/purged.json").write_text(json.dumps({md5: path}))
    out = call("trace", "short", "--verify")[1]
    assert "it was purged" in out and "in no commit yet" in out and "`dvc pull` fetches it" not in out
