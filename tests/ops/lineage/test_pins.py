"""A stage's environment is that of the commit that recorded it: pins changed since made nothing of it."""

import hashlib

import audit_project
import pytest

from pipelines.ops.lineage import openlineage, page, prov, text, trace
from pipelines.ops.lineage.revision import Revision


@pytest.fixture
def then(project):
    """The SHA-256 of the pins with which all was recorded; another numpy was pinned since, and nothing run."""
    old = hashlib.sha256((project / "constraints.txt").read_bytes()).hexdigest()
    audit_project.edit(project / "constraints.txt", "numpy==2.0.0", "numpy==1.0.0")
    audit_project.commit(project, "Another numpy")
    return old


def test_pins_changed_since_are_not_what_a_result_was_made_with(then):
    found = trace.trace(Revision("HEAD"), "short")
    assert {stage["environment"] for stage in found["stages"].values()} == {then}
    now = found["environment"]["sha256"]
    lines = list(text.environments(found))
    assert (
        then[:16] in lines[0]
        and len(lines) == 2
        and "none of these stages was recorded with" in lines[1]
        and now[:16] in lines[1]
    )
    assert then in page.render(found)
    for event in openlineage.events(found):
        facet = event["run"]["facets"]["conservatory_environment"]
        assert facet["packages"]["numpy"] == "2.0.0" and facet["sha256"] == then
    entities = prov.document(found)["entity"].items()
    assert {entity["conservatory:sha256"] for name, entity in entities if name.startswith("environment:")} == {then}


def test_which_stages_were_recorded_with_which_pins(then, project):
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    audit_project.repro(project, "train@short")
    found = trace.trace(Revision(), "short")
    now = found["environment"]["sha256"]
    assert {name for name, stage in found["stages"].items() if stage["environment"] == now} == {"train@short"}
    lines = list(text.environments(found))
    assert len(lines) == 2 and any(now[:16] in line and "as recorded with train@short" in line for line in lines)


def test_verify_says_with_which_pins_it_compared(then, call):
    out = call("trace", "short", "--verify")[1]
    assert "Packages were compared with the present pins; recorded with other pins: raw@one" in out


def test_a_commit_without_pins(project):
    (project / "constraints.txt").unlink()
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    audit_project.repro(project, "train@short")
    found = trace.trace(Revision(), "short")
    assert found["stages"]["train@short"]["environment"] is None
    assert "Environment: nothing pinned, as recorded with train@short" in list(text.environments(found))
    assert openlineage.events(found)[-1]["run"]["facets"]["conservatory_environment"]["sha256"] is None


def test_where_all_agree_it_is_one_line(project):
    assert len(list(text.environments(trace.trace(Revision(), "short")))) == 1


PINS = {
    "missing": (lambda path: path.unlink(), "it is missing; commit"),
    "empty": (lambda path: path.write_text(""), "it pins no package; commit"),
    "a pin less": (lambda path: audit_project.edit(path, "pytest==8.0.0\n", ""), "its hash is"),
}


@pytest.mark.parametrize("name", PINS)
def test_pins_that_are_not_the_commits_do_not_verify(project, call, name):
    change, said = PINS[name]
    (project / "constraints.txt").write_text("# pins\nnot-installed==1\npytest==8.0.0\n")
    audit_project.commit(project, "Other pins")
    change(project / "constraints.txt")
    status, out, _ = call("trace", "short", "--verify")
    assert status == 1 and f"environment constraints.txt: {said}" in out


def test_pins_taken_out_of_git_do_not_verify(project, call):
    (project / "constraints.txt").unlink()
    audit_project.commit(project, "No pins")
    for rev in ([], ["--rev", "HEAD"]):
        status, out, _ = call("trace", "short", "--verify", *rev)
        assert status == 1 and "constraints.txt: it is missing; the commit that recorded this has it" in out


def test_pins_changed_and_committed_verify(project, call):
    (project / "constraints.txt").write_text("not-installed==2\n")
    audit_project.commit(project, "Other pins")
    status, out, _ = call("trace", "short", "--verify")
    assert status == 0 and "1 list of pins" in out and "recorded with other pins: raw@one" in out
