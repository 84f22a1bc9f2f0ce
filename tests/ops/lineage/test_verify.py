"""Whatever no longer matches is named; what matches is not."""

import hashlib
import json
import os
from pathlib import Path

import audit_project
import pytest

from pipelines import recipe
from pipelines.ops.lineage import runs, trace, verify
from pipelines.ops.lineage.revision import Revision, cache_folder, object_path

FIGURE = "reports/clustering.json#two.style.short.accuracy"


def check(asked=FIGURE, rev=""):
    """(kind, path) of each thing that does not match, packages aside: this machine's are not the small project's."""
    revision = Revision(rev)
    result = verify.verify(revision, trace.trace(revision, asked))
    return {(row["kind"], row["path"]) for row in result["wrong"] if row["kind"] != "package"}, result


def test_an_untouched_project_is_as_recorded(project):
    for rev in ("", "first"):
        wrong, result = check(rev=rev)
        assert not wrong and result["checked"]["clip"] == 8 and result["checked"]["link"] > 10
        assert result["checked"]["output"] > 20 and result["checked"]["code"] == 2


def overwrite(path, text):
    """Other bytes at a path that may be a link into DVC's cache."""
    Path(path).unlink()
    Path(path).write_text(text)


CHANGES = {
    "raw file": (
        lambda: overwrite("data/raw/one/1.wav", "other"),
        {("output", "data/raw/one/1.wav"), ("clip", "data/raw/one/1.wav")},
    ),
    "user's file": (lambda: Path("music/x.wav").write_text("other"), {("clip", "music/x.wav")}),
    "user's file gone": (lambda: Path("music/x.wav").unlink(), {("clip", "music/x.wav")}),
    "a file more": (lambda: Path("models/tagging/short/new").write_text("x"), {("output", "models/tagging/short")}),
    "figures": (lambda: edit_figures(), {("output", "reports/clustering.json")}),
    "code": (lambda: audit_project.edit(Path("pipelines/kit/one.py"), "1", "2"), {("code", "pipelines/kit")}),
    "parameter": (
        lambda: audit_project.edit(Path("params.yaml"), "2.0e-05", "4.0e-05"),
        {("parameter", "params.yaml#export")},
    ),
    "parameter gone": (
        lambda: audit_project.edit(Path("params.yaml"), "short: {recipe", "long: {recipe"),
        {("parameter", "params.yaml#taggers.short")},
    ),
    "lock": (
        lambda: swap_in_lock("models/tagging/short"),
        {("link", "models/tagging/short"), ("output", "models/tagging/short")},
    ),
}


def edit_figures():
    path = Path("reports/clustering.json")
    found = json.loads(path.read_text())
    found["one"]["style"]["short"]["accuracy"] += 1
    overwrite(path, json.dumps(found))


def swap_in_lock(path):
    """An output's hash that is not the one its readers read."""
    text = Path("dvc.lock").read_text()
    place = text.index(f"outs:\n    - path: {path}\n")
    start = text.index("md5: ", text.index("hash: md5", place) + 10) + 5
    Path("dvc.lock").write_text(text[:start] + "0" * 32 + text[start + 32 :])


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_named_and_nothing_else(project, call, name):
    change, expected = CHANGES[name]
    change()
    # the figure's own value may be what was changed
    assert check("reports/clustering.json")[0] == expected
    status, out, _ = call("trace", "reports/clustering.json", "--verify")
    assert status == 1 and all(path in out for _, path in expected)


def test_a_spoilt_cache_is_seen_at_a_revision_that_lies_only_there(project):
    md5 = Revision("first").hash("models/tagging/short/weights.json")
    assert md5 != Revision().hash("models/tagging/short/weights.json")
    os.chmod(object_path(md5), 0o644)
    object_path(md5).write_text("damaged")
    assert check("short", "first")[0] == {("output", "models/tagging/short/weights.json")}
    assert not check("short")[0]
    object_path(md5).unlink()
    (row,) = check("short", "first")[1]["wrong"]
    assert "missing" in row["problem"] and "dvc pull" in row["problem"]


def test_what_only_the_cache_holds_is_verified_there(project):
    for name in ("data/raw/one/0.wav", "models/tagging/short/weights.json"):
        Path(name).unlink()
    assert not check()[0]


def test_a_lost_listing_is_said(project):
    object_path(Revision("first").hash("models/tagging/short")).unlink()
    assert check("short", "first")[0] == {("output", "models/tagging/short")}
    object_path(Revision().hash("models/tagging/short")).unlink()
    assert not check("short")[0], "the folder here still has that hash"


def test_packages_that_are_not_as_pinned_are_named(project, call):
    wrong = {row["path"] for row in check()[1]["wrong"] if row["kind"] == "package"}
    assert wrong == {"numpy", "pytest"}, "one that is not installed computed nothing"
    status, out, _ = call("trace", FIGURE, "--verify", "--json", "-")
    assert status == 1 and len(json.loads(out)["verification"]["wrong"]) == 2


def test_folder_hashes_are_dvcs(project):
    """Of data, by the listing; of a code folder, which DVC keeps no listing of, by the files of the commit."""
    graph = Revision().graph
    kit = next(dep["md5"] for dep in graph.stages["train@short"]["deps"] if dep["path"] == "pipelines/kit")
    assert runs.hashes(Revision().commit, {"pipelines/kit": kit}) == {"pipelines/kit": kit}
    listing = Revision().listing("data/raw/one")
    assert recipe.folder_hash(listing) == Revision().hash("data/raw/one") and len(listing) == 6
    assert listing["0.wav"] == hashlib.md5(Path("data/raw/one/0.wav").read_bytes()).hexdigest()


def test_a_cache_in_another_place_is_found(project):
    (project / ".dvc/cache").rename(project.parent / "kept")
    (project / ".dvc/config.local").write_text("[cache]\n    dir = ../../kept\n")
    from pipelines.ops.lineage import revision

    revision._configured.cache_clear()
    assert cache_folder().resolve() == (project.parent / "kept").resolve()
    assert not check(rev="first")[0]


def test_which_of_two_copies_is_spoilt_is_said(project):
    """The file here and the one in DVC's cache, where they are not one."""
    path = "models/tagging/short/weights.json"
    kept, good = object_path(Revision().hash(path)), Path(path).read_text()
    overwrite(path, good)
    os.chmod(kept, 0o644)
    kept.write_text("damaged")
    (row,) = [row for row in check("short")[1]["wrong"] if row["kind"] != "package"]
    assert row["path"] == path and "in DVC's cache its hash is" in row["problem"]
    assert "here it is as recorded" in row["problem"]
    overwrite(path, "damaged too")
    (row,) = [row for row in check("short")[1]["wrong"] if row["kind"] != "package"]
    assert row["problem"].startswith("here its hash is") and "; in DVC's cache its hash is" in row["problem"]
    kept.write_text(good)
    (row,) = [row for row in check("short")[1]["wrong"] if row["kind"] != "package"]
    assert row["problem"].startswith("here its hash is") and "DVC's cache has it as recorded" in row["problem"]
    Path(path).unlink()
    os.link(kept, path)
    kept.write_text("damaged")
    (row,) = [row for row in check("short")[1]["wrong"] if row["kind"] != "package"]
    assert "which are one file" in row["problem"]
    Path(path).unlink()
    (row,) = [row for row in check("short")[1]["wrong"] if row["kind"] != "package"]
    assert row["problem"].startswith("in DVC's cache its hash is") and "here" not in row["problem"]


def test_one_file_is_hashed_once(project, monkeypatch):
    path = "models/tagging/short/weights.json"
    kept = object_path(Revision().hash(path))
    hashed = []
    real = verify._hashes
    monkeypatch.setattr(verify, "_hashes", lambda file: hashed.append(file) or real(file))
    Path(path).unlink()
    os.link(kept, path)
    assert not check("short")[0] and kept not in hashed and Path(path) in hashed
    overwrite(path, kept.read_text())
    assert not check("short")[0] and kept in hashed


@pytest.mark.parametrize("content", ["half of [", "5", "[1]"])
def test_a_spoilt_listing_beside_a_good_folder_is_said(project, content):
    listing = object_path(Revision().hash("models/tagging/short"))
    os.chmod(listing, 0o644)
    listing.write_text(content)
    assert check("short")[0] == {("output", "models/tagging/short")}
