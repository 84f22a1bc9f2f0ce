"""Which run made something: noted when a stage has run, found again by the entry of dvc.lock, here and in the registry."""

import json
from datetime import datetime

import audit_project
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import recipe
from pipelines.ops.lineage import openlineage, page, text, trace
from pipelines.ops.lineage import prov as provenance
from pipelines.ops.lineage.revision import Revision
from pipelines.ops.runs import follow, log, made_by


def ran(project, *stages, run="a-run", door="a test", time="2026-01-01T09:00:00.000+00:00"):
    """A run of the stages, as it is followed; they are in dvc.lock already. It is said to have ended at `time`, which is before
    the project's commits."""
    follower = follow.Follower(project, door, run)
    for stage in stages:
        follower.line(f"Running stage '{stage}':")
    follower.end(0)
    path = log.folder(project) / made_by.FILE
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [line | {"time": time} if line["run"] == run else line for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_trace_names_the_run_of_each_stage(project):
    ran(project, "features@one-sum", "train@short", run="first", door="Dagster run 1b2c")
    ran(project, "train@short", run="second", time="2026-01-01T09:30:00.000+00:00")
    stages = trace.trace(Revision(), "short")["stages"]
    assert stages["train@short"]["ran"]["run"] == "first", "the second came to what was made already"
    again = stages["train@short"]["again"]
    assert (again["times"], again["last"]["run"]) == (1, "second") and stages["features@one-sum"]["again"] is None
    features = stages["features@one-sum"]["ran"]
    assert (features["run"], features["door"]) == ("first", "Dagster run 1b2c") and features["host"]
    assert stages["raw@one"]["ran"] is None, "a plain dvc repro leaves no line"


def test_the_run_of_an_older_result_is_found_at_its_revision_and_of_no_other(project):
    ran(project, "train@short", run="of the second result")
    assert trace.trace(Revision("second"), "short")["stages"]["train@short"]["ran"]["run"] == "of the second result"
    assert trace.trace(Revision("first"), "short")["stages"]["train@short"]["ran"] is None


def test_a_run_after_the_commit_that_recorded_an_entry_did_not_make_it(project):
    """Pulled, and run again by force: the same entry, made by who committed it."""
    ran(project, "train@short", run="forced", time="2026-02-01T09:00:00.000+00:00")
    ran(project, "train@short", run="forced again", time="2026-03-01T09:00:00.000+00:00")
    found = trace.trace(Revision(), "short")
    stage = found["stages"]["train@short"]
    assert stage["ran"] is None and (stage["again"]["times"], stage["again"]["last"]["run"]) == (2, "forced again")
    said = "made again 2 times, last by run forced again"
    assert any(said in line for line in text.lines(found)) and said in page.render(found)
    start, _ = (event for event in openlineage.events(found) if event["job"]["name"] == "train@short")
    assert datetime.fromisoformat(start["eventTime"]) == datetime.fromisoformat(stage["run"]["date"])


def test_the_registrys_run_was_earlier_than_one_here(project):
    ran(project, "train@short", run="registered")
    version = project / "registry/short/1.json"
    version.parent.mkdir(parents=True)
    version.write_text(json.dumps({"version": 1, "runs": made_by.of(project, recipe.locked_stages(project))}))
    stage = trace.trace(Revision(), "short")["stages"]["train@short"]
    assert stage["ran"]["run"] == "registered" and stage["again"] is None, "one run, named twice"
    (log.folder(project) / made_by.FILE).unlink()
    ran(project, "train@short", run="here", time="2026-01-01T09:10:00.000+00:00")
    stage = trace.trace(Revision(), "short")["stages"]["train@short"]
    assert stage["ran"]["run"] == "registered" and stage["again"]["last"]["run"] == "here"
    (version.parent / "1.json").write_text('{"runs": {"a": {"time": "never"}, "b": 3}}')
    assert trace.trace(Revision(), "short")["stages"]["train@short"]["ran"]["run"] == "here"


def test_text_page_and_exports_say_it(project):
    ran(project, "train@short", run="the-run", door="<i>somebody</i>")
    found = trace.trace(Revision(), "short")
    lines = "\n".join(text.lines(found))
    assert "by run the-run (<i>somebody</i>) on " in lines
    html = page.render(found)
    assert "By run the-run (&lt;i&gt;somebody&lt;/i&gt;)" in html and "<i>somebody" not in html
    activity = provenance.document(found)["activity"]["run:train@short"]
    assert activity["conservatory:run"] == "the-run"
    began, ended = (datetime.fromisoformat(activity[f"prov:{end}Time"]) for end in ("start", "end"))
    assert began <= ended
    start, complete = (event for event in openlineage.events(found) if event["job"]["name"] == "train@short")
    assert [datetime.fromisoformat(event["eventTime"]) for event in (start, complete)] == [began, ended]
    assert complete["run"]["facets"]["conservatory_record"]["ran"]["run"] == "the-run"


def test_a_retraining_says_for_whom_it_ran(project, monkeypatch):
    monkeypatch.setenv(made_by.FOR, "retraining 7, for Dagster run 1b2c")
    ran(project, "train@short", door="conservatory run")
    found = trace.trace(Revision(), "short")["stages"]["train@short"]["ran"]
    assert found["door"] == "conservatory run, for retraining 7, for Dagster run 1b2c"


def test_worktrees_share_the_lines_and_the_newest_runs_do_not_drive_them_out(project, tmp_path, monkeypatch):
    ran(project, "train@short", run="in the project")
    monkeypatch.setenv("CONSERVATORY_LOGS", str(log.folder(project)))
    other = audit_project.create(tmp_path / "worktree")
    ran(other, "cluster@one", run="in a worktree")
    log.prune(log.folder(project), 0)
    stages = trace.trace(Revision(), "reports/clustering.json")["stages"]
    assert stages["cluster@one"]["ran"]["run"] == "in a worktree"
    assert stages["train@short"]["ran"]["run"] == "in the project"


def test_the_registry_tells_it_where_the_lines_are_not(project):
    ran(project, "train@short", run="long ago")
    runs = made_by.of(project, recipe.locked_stages(project))
    assert len(runs) == 1
    (log.folder(project) / made_by.FILE).unlink()
    assert trace.trace(Revision(), "short")["stages"]["train@short"]["ran"] is None
    version = project / "registry/short/1.json"
    version.parent.mkdir(parents=True)
    version.write_text(json.dumps({"version": 1, "runs": runs}))
    (version.parent / "2.json").write_text("{ half")
    assert trace.trace(Revision(), "short")["stages"]["train@short"]["ran"]["run"] == "long ago"


@pytest.mark.parametrize("damaged", ["", "{", "[]\n", '{"what": "made", "time": 3}\n', "\x00\xff\n"])
def test_spoilt_lines_are_passed_over(project, damaged):
    ran(project, "train@short", run="whole")
    path = log.folder(project) / made_by.FILE
    path.write_text(damaged + "\n" + path.read_text() + damaged)
    assert [run["run"] for run in made_by.known(project).values()] == ["whole"]


def test_one_entry_is_found_as_it_is_parsed_with_all(project):
    lock = (project / "dvc.lock").read_text()
    whole = recipe.parse_lock(lock)
    assert {name: recipe.locked_stage(lock, name) for name in whole} == whole
    assert recipe.locked_stage(lock, "train") is None and recipe.locked_stage("", "train") is None
    assert recipe.locked_stage(lock[: len(lock) // 2], next(reversed(whole))) is None


@given(st.text(max_size=40))
def test_a_dvc_lock_that_is_none_has_no_entries(text):
    assert recipe.locked_stage(text, "train") is None
    assert recipe.locked_stage(recipe.HEAD + text, "train") is None
