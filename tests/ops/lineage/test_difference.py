"""What differs between two results is what was changed, and why is what it was changed by."""

import hashlib
import json
import os
from pathlib import Path

import audit_project
import pytest

from pipelines.ops.lineage import difference, difference_text, trace, withdraw
from pipelines.ops.lineage.revision import Revision, object_path


def words(before, after=""):
    found = difference.difference(Revision(before), Revision(after))
    return found, "\n".join(difference_text.lines(found))


def test_a_parameter_and_the_figures_it_moved(project, call):
    found, text = words("first", "second")
    assert "Parameter export.tolerance: 1e-05 -> 2e-05" in text
    assert found["stages"]["train@short"]["own"] == ["parameter export.tolerance"]
    assert set(found["stages"]) == {
        "train@short", "embed@one-short", "embed@two-short", "cluster@one", "cluster@two", "metrics", "report",
    }  # fmt: skip
    assert "Stage cluster@two has other output because of other output of embed@two-short" in text
    moved = found["figures"]["reports/clustering.json"]
    assert moved["because"] == ["parameter export.tolerance"] and moved["same"] == 4
    old, new = (
        json.loads(audit_project.git(project, "show", f"{rev}:reports/clustering.json")) for rev in ("first", "second")
    )
    assert {row["key"]: (row["before"], row["after"]) for row in moved["numbers"]} == {
        f"{name}.style.short.accuracy": tuple(each[name]["style"]["short"]["accuracy"] for each in (old, new))
        for name in ("one", "two")
    }
    assert found["music"] == {} and found["environment"] == {}
    status, out, _ = call("diff", "first", "second")
    assert status == 0 and out.strip() == text
    assert json.loads(call("diff", "first", "second", "--json", "-")[1]) == found


def test_nothing(project):
    assert words("second")[1].endswith("Nothing changed: every stage has the same data, parameters, code and outputs.")


def test_code(project):
    audit_project.edit(project / "pipelines/kit/one.py", "1", "one")
    audit_project.repro(project)
    found, text = words("second")
    assert found["stages"]["train@short"]["own"] == ["code pipelines/kit"] and found["figures"] == {}
    assert (
        "1 stages have other inputs and the same output: train@short" in text and "Figures: all are the same." in text
    )


def test_music(project):
    withdraw.write({_sha("sound x"): "a test"})
    audit_project.repro(project)
    found, text = words("second")
    assert found["music"] == {"two": {"added": [], "removed": ["song <0> of two"], "changed": []}}
    assert "Music of two: 1 clips removed (song <0> of two)" in text
    cause = f"parameter withdrawn.{_sha('sound x')}"
    assert (
        found["stages"]["manifest@two"]["own"] == [cause]
        and cause in found["figures"]["reports/clustering.json"]["because"]
    )
    assert "manifest@one" in text and found["stages"]["manifest@one"]["outputs"] == []
    assert "1 clips added" in words("", "second")[1]


def _sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_what_dvc_lock_cannot_tell_is_put_down_to_the_environment_or_left_open(project):
    """An output that differs though nothing it was given does."""
    text = Path("dvc.lock").read_text()
    md5 = Revision().hash("models/tagging/short")
    Path("dvc.lock").write_text(text.replace(f"md5: {md5}", f"md5: {'0' * 28}.dir"))
    found, said = words("second")
    assert found["stages"]["train@short"]["own"] == ["first difference without a recorded cause: train@short"]
    assert "Stage train@short has other output without a recorded cause" in said
    audit_project.edit(project / "constraints.txt", "numpy==2.0.0", "numpy==2.1.0")
    found, text = words("second")
    assert found["stages"]["train@short"]["own"] == ["environment"] and "Environment: numpy 2.0.0 -> 2.1.0" in text


@pytest.mark.system
def test_stages_that_came_and_went(project):
    audit_project.edit(
        project / "params.yaml",
        "  short: {recipe: modern}",
        "  short: {recipe: modern}\n  long: {recipe: modern}",
    )
    audit_project.repro(project)
    audit_project.commit(project, "Another tagger")
    found, text = words("second", "HEAD")
    assert "Stage train@long is new" in text and "stage train@long is new" in found["stages"]["cluster@one"]["because"]
    assert found["figures"]["reports/clustering.json"]["numbers"][0]["before"] is None and "6 new" in text
    found, text = words("HEAD", "second")
    assert "Stage train@long is gone" in text or "train@long" not in found["stages"]


@pytest.mark.system
def test_data_that_is_at_no_hand_is_said(project):
    clone = project.parent / "clone"
    audit_project.edit(project / "params.yaml", "n: 6", "n: 5")
    audit_project.repro(project)
    audit_project.commit(project, "A clip fewer")
    audit_project.git(project, "clone", "-q", str(project), str(clone))
    os.chdir(clone)
    assert "Music of one: its manifest of HEAD~1 and HEAD is not available" in words("HEAD~1", "HEAD")[1]


@pytest.mark.parametrize("arguments", [("nowhere",), ("second", "nowhere")])
def test_a_revision_that_is_none(project, call, arguments):
    status, _, errors = call("diff", *arguments)
    assert status == 2 and "'nowhere' is not a revision" in errors


def test_edits_that_no_stage_has_run_are_not_nothing(project):
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    (project / "pipelines/new.py").write_text("")
    text = words("HEAD")[1]
    assert "dvc.lock is the same" in text and "Files that differ: params.yaml, pipelines/new.py" in text
    assert "conservatory status" in text and "Nothing changed" not in text


def test_the_commits_between_are_named_in_either_order(project):
    assert words("first", "second")[0]["commits"] == words("second", "first")[0]["commits"] != []


def test_packages_may_be_a_cause_beside_code(project):
    audit_project.edit(project / "constraints.txt", "numpy==2.0.0", "numpy==2.1.0")
    audit_project.edit(project / "pipelines/step.py", 'sound = ""', 'sound = "!"')
    audit_project.repro(project, "audio@one")
    own = words("second")[0]["stages"]["audio@one"]["own"]
    assert own == ["code pipelines/step.py", "perhaps the packages, which differ too"]


@pytest.mark.system
def test_figures_that_are_at_no_hand_are_not_gone(project, call):
    """A commit that has dvc.lock and not the figures that it names; and what a report of DVC's cache lost."""
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    audit_project.repro(project)
    audit_project.git(project, "add", "dvc.lock", "params.yaml")
    audit_project.git(project, "commit", "-q", "-m", "A result without its figures")
    Path("reports/clustering.json").unlink()
    found, text = words("second", "HEAD")
    figures = found["figures"]["reports/clustering.json"]
    assert "numbers" not in figures and figures["because"] == ["parameter export.tolerance"]
    said = "the file in dvc.lock of HEAD is not available (git has another version there)"
    assert f"Figures of reports/clustering.json: {said}" in text and " gone" not in text
    assert (
        json.loads(call("diff", "HEAD", "second", "--json", "-")[1])["figures"]["reports/clustering.json"]["unknown"]
        == said
    )
    audit_project.git(project, "checkout", "HEAD", "--", "reports")
    assert (
        "the file in dvc.lock of the working tree is not available (`conservatory run` makes it)" in words("second")[1]
    )


@pytest.mark.system
def test_figures_of_an_output_that_dvc_keeps_are_pulled(project):
    text = audit_project.RECIPE.replace("{reports/clustering.json: {cache: false}}", "reports/clustering.json")
    assert text != audit_project.RECIPE
    (project / "dvc.yaml").write_text(text)
    audit_project.git(project, "rm", "-q", "--cached", "reports/clustering.json")
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    audit_project.repro(project)
    audit_project.commit(project, "Figures in DVC's cache")
    Path("reports/clustering.json").unlink()
    object_path(Revision().hash("reports/clustering.json")).unlink()
    assert (
        "the file in dvc.lock of HEAD is not available (`dvc pull reports/clustering.json` fetches it)"
        in words("second", "HEAD")[1]
    )


def test_a_project_in_a_folder_of_its_repository(project, monkeypatch):
    """Paths are the project's, not the repository's."""
    above = project.parent / "above"
    above.mkdir()
    project.rename(above / "project")
    (above / "project/.git").rename(above / ".git")
    audit_project.commit(above, "Moved")
    monkeypatch.chdir(above / "project")
    audit_project.edit(Path("params.yaml"), "2.0e-05", "3.0e-05")
    Path("pipelines/new.py").write_text("")
    assert "Files that differ: params.yaml, pipelines/new.py\n" in words("HEAD")[1]
    assert trace.trace(Revision(), "short")["revision"]["changed"] == ["params.yaml", "pipelines/new.py"]
