"""Where a clone's history is cut off, the commit at its end is not said to have recorded what came before."""

import json
import os

import audit_project
import pytest

from pipelines.ops.lineage import card, openlineage, page, prov, runs, text, trace
from pipelines.ops.lineage.revision import Revision

SAID = "recorded in an unknown commit: this is a shallow clone (git fetch --unshallow)"


@pytest.fixture
def shallow(project, monkeypatch):
    """`shallow(depth)`: a clone of the latest commits, the working folder; before them lie two that recorded a result."""
    (project / "README.md").write_text("Later\n")
    audit_project.commit(project, "Later")

    def clone(depth):
        folder = project.parent / f"clone {depth}"
        audit_project.git(project, "clone", "-q", "--depth", str(depth), project.as_uri(), str(folder))
        os.symlink(project / ".dvc/cache", folder / ".dvc/cache")
        monkeypatch.chdir(folder)
        return folder

    return clone


def test_the_end_of_a_cut_off_history_recorded_nothing(shallow, call):
    shallow(1)
    found = trace.trace(Revision(), "short")
    assert all(stage["run"] is None and stage["cut_off"] for stage in found["stages"].values())
    assert {dep["in_commit"] for stage in found["stages"].values() for dep in stage["code"]} == {None}
    lines = "\n".join(text.lines(found))
    assert f"made by train@short, {SAID}" in lines and "not known (5)" in lines and "in no commit yet" not in lines
    assert "Environment: unknown for raw@one" in lines and found["environments"] == {}
    assert f"recorded {prov.document(found)['activity']['run:train@short']['conservatory:recorded']}" == SAID
    assert SAID.capitalize() in page.render(found).replace("&#39;", "'")
    assert f"- {SAID.capitalize()}" in card.render(Revision(), found) and "sha256 not known" in card.render(
        Revision(), found
    )
    record = openlineage.events(found)[-1]["run"]["facets"]["conservatory_record"]
    assert record["commit"] is None and record["cut_off"] is True
    printed = json.loads(call("trace", "short", "--json", "-")[1])
    assert printed["stages"]["train@short"]["run"] is None and printed["stages"]["train@short"]["cut_off"]
    assert "recorded with others" not in call("trace", "short", "--verify")[1]


def test_what_was_recorded_after_the_cut_is_known(shallow, project):
    clone = shallow(2)
    second = audit_project.git(project, "rev-parse", "second")
    assert runs.boundaries() == {second}
    audit_project.edit(clone / "params.yaml", "2.0e-05", "3.0e-05")
    audit_project.repro(clone, "train@short")
    commit = audit_project.commit(clone, "The third result")
    stages = trace.trace(Revision(), "short")["stages"]
    assert stages["train@short"]["run"]["commit"] == commit and not stages["train@short"]["cut_off"]
    assert stages["raw@one"]["run"] is None and stages["raw@one"]["cut_off"]
    lines = "\n".join(text.lines(trace.trace(Revision(), "short")))
    assert f"recorded 2026-01-03 10:00 in {commit[:10]}" in lines and "as recorded with train@short" in lines


def test_files_and_parameters_too(shallow, call):
    shallow(1)
    for asked in ("pipelines/kit/one.py", "params.yaml#export.tolerance"):
        out = call("trace", asked)[1]
        assert "last changed in an unknown commit" in out
        assert json.loads(call("trace", asked, "--json", "-")[1])["target"]["commit"] is None


def test_a_whole_clone_has_no_end(project):
    assert runs.boundaries() == set()
    first = trace.trace(Revision(), "short")["stages"]["raw@one"]
    assert first["run"]["commit"] == audit_project.git(project, "rev-parse", "first") and not first["cut_off"]
