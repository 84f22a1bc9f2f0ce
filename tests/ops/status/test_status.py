"""What `conservatory status` says is so: of stages what DVC says, of the rest what is in the project's files."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers import PROJECT, run_in
from tiny_project import create, create_finished, dagster_home, dvc_repro, edit, materialize

from assets import repro
from pipelines.core.manifest import QUARANTINE
from pipelines.core.tables import write_table
from pipelines.ops.dvc import freshness
from pipelines.ops.registry import history, worktree
from pipelines.ops.runs import follow, log, record
from pipelines.ops.status import disk, gather, page, text

COMMAND = (sys.executable, "-m", "pipelines.cli")


@pytest.fixture
def project(tmp_path, monkeypatch):
    found = create_finished(tmp_path / "project")
    monkeypatch.chdir(found)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setattr(gather, "PATIENCE", 300.0)  # a busy machine is not what is tested
    return found


def differing(project):
    """The stages that DVC itself says have changed."""
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, cwd=project, env=repro.environment(), capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def direct(found):
    """Those that are not fresh for a reason of their own."""
    return {
        n for n, s in found.items() if s.state != "fresh" and not all(w.startswith("after ") for w in s.why or ("",))
    }


def states(found):
    return {name: state.state for name, state in found.items() if state.state != "fresh"}


def test_nothing_to_do(project):
    found = freshness.states(project)
    assert len(found) == 8 and states(found) == {} and differing(project) == set()


ONE, TWO = ("features@one-sum", "features@one-product"), ("features@two-sum", "features@two-product")
THIRD = "product: {}\n  third: {}"
AFTER_ONE = dict.fromkeys([*ONE, "train@short", "report"], "stale")
RAW = dict.fromkeys(["raw@one", "raw@two"], "stale")
GONE = dict.fromkeys(["raw@one", "raw@two", *ONE, *TWO, "train@short", "report"], "gone")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda p: edit(p / "params.yaml", "n: 3", "n: 5"), {"raw@one": "stale", **AFTER_ONE}),
        (lambda p: edit(p / "params.yaml", "{recipe: quick}", "{}"), {"train@short": "stale", "report": "stale"}),
        (lambda p: (p / "models/short").unlink(), None),
        (lambda p: (p / "models/short").write_text("other"), {"train@short": "stale", "report": "stale"}),
        (lambda p: shutil.rmtree(p / "data"), GONE),
        (
            lambda p: edit(p / "params.yaml", "product: {}", THIRD),
            {"features@one-third": "never run", "features@two-third": "never run", "report": "stale"},
        ),
        (lambda p: edit(p / "dvc.yaml", "report all", "report  all"), {"report": "stale"}),
        (
            lambda p: edit(p / "pipelines/step.py", "import json", "import  json"),
            RAW | AFTER_ONE | dict.fromkeys(TWO, "stale"),
        ),
        (lambda p: (p / "dvc.lock").unlink(), dict.fromkeys(GONE, "never run")),
        (lambda p: shutil.rmtree(p / ".dvc/cache"), None),
    ],
)
def test_what_dvc_says(project, change, expected):
    change(project)
    found = freshness.states(project)
    assert direct(found) == differing(project)
    assert expected is None or states(found) == expected


def test_what_is_away_is_gone_and_not_stale(project):
    (project / "models/short").unlink()
    found = freshness.states(project)
    assert found["train@short"] == freshness.State("gone", ("models/short is missing; DVC's cache has it",))


def test_reasons(project):
    edit(project / "params.yaml", "n: 3", "n: 5")
    found = freshness.states(project)
    assert found["raw@one"].why == ("datasets.one in params.yaml changed",)
    assert found["features@one-sum"].why == ("after raw@one",)
    assert list(found).index("raw@one") < list(found).index("features@one-sum") < list(found).index("report")


def test_a_recipe_that_cannot_be_read_is_an_error(project):
    edit(project / "params.yaml", "recipes:", "recipes: [")
    with pytest.raises(freshness.StatusError, match="cannot be read"):
        freshness.states(project)
    done = run_in(project, *COMMAND, "status", check=False, PYTHONPATH=str(PROJECT))
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_a_value_that_no_stage_takes_is_an_error(project):
    with (project / "params.yaml").open("a") as file:
        file.write("audio: {channels: 7}\n")
    done = run_in(project, *COMMAND, "status", check=False, PYTHONPATH=str(PROJECT))
    assert done.returncode == 2 and "audio.channels in params.yaml is 7" in done.stderr


def test_it_can_be_asked_while_dvc_holds_its_lock(project):
    from dvc.repo import Repo

    with Repo(str(project)) as repo, repo.lock:
        assert states(freshness.states(project)) == {}


def test_the_command(project, monkeypatch):
    def call(*arguments):
        done = run_in(project, *COMMAND, "status", *arguments, check=False, PYTHONPATH=str(PROJECT))
        return done.returncode, done.stdout

    status, told = call("--json")
    found = json.loads(told)
    assert status == 0 and found["counts"] == {"fresh": 8} and len(found["stages"]) == 8 and found["dagster"] is None
    edit(project / "params.yaml", "n: 4", "n: -1")
    monkeypatch.setenv("CONSERVATORY_ALERTS_COMMAND", "cat > told.json")
    assert run_in(project, *COMMAND, "run", check=False, PYTHONPATH=str(PROJECT)).returncode
    alert = json.loads((project / "told.json").read_text())
    assert (alert["about"], alert["reason"]) == ("raw@two", "two: there is no file of -1 numbers")
    status, told = call("--html", "state.html")
    assert status == 1 and told.startswith("project: 1 failed, ") and "\x1b" not in told
    assert "two: there is no file of -1 numbers  (conservatory logs --run" in told
    assert "there is no file of -1 numbers" in (project / "state.html").read_text()
    done = run_in(project, *COMMAND, "logs", "--problems", PYTHONPATH=str(PROJECT))
    assert "x raw@two" in done.stdout and "failed to reproduce 'raw@two'" in done.stdout
    edit(project / "params.yaml", "n: -1", "n: 4")
    status, told = call()  # DVC takes a stage's outputs away before it runs
    assert status == 1 and "3 gone" in told and "1 failed" not in told, "a failure that was mended is none"


def test_failures_of_dagster_are_told_too(project):
    edit(project / "params.yaml", "n: 4", "n: -1")
    with dagster_home(project) as instance:
        assert not materialize(project, instance, "raw", keys=("two",)).success
    found = gather.gather(project)
    (failed,) = [stage for stage in found["stages"] if stage["state"] == "failed"]
    assert (failed["name"], failed["reason"]) == ("raw@two", "two: there is no file of -1 numbers")
    assert found["runs"][0]["door"].startswith("Dagster run ") and found["runs"][0]["state"] == "failed"
    assert found["dagster"]["schedules"] == [] and "problem" not in found["dagster"]


def test_schedules_are_read_from_dagsters_history(project):
    import dagster as dg
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
    from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData

    with dagster_home(project) as instance:
        for name, status, where in (
            ("weekly", InstigatorStatus.RUNNING, "conservatory"),
            ("never", InstigatorStatus.STOPPED, "conservatory"),
            ("another project's", InstigatorStatus.RUNNING, "elsewhere"),
        ):
            origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(where), "all"), name)
            data = ScheduleInstigatorData("0 3 * * 1", start_timestamp=None)
            instance.add_instigator_state(InstigatorState(origin, InstigatorType.SCHEDULE, status, data))
    told = gather.gather(project)
    never, weekly = told["dagster"]["schedules"]
    assert (weekly["name"], weekly["on"], weekly["cron"]) == ("weekly", True, "0 3 * * 1") and "T03:00:00" in weekly[
        "next"
    ]
    assert not never["on"] and never["next"] is None
    assert any("weekly: on, next 20" in line for line in text.lines(told))
    assert dg.__version__


def test_a_history_of_dagster_that_cannot_be_read_is_said(project):
    (project / ".dagster").mkdir()
    (project / ".dagster/dagster.yaml").write_text("storage: [")
    found = gather.gather(project)
    assert "cannot be read" in found["dagster"]["problem"] and found["counts"] == {"fresh": 8}


def test_quarantine_models_runs_and_room(project, monkeypatch):
    reasons = [f"{n:,} bytes behind its sound belong to no part of it: export it again" for n in (66_150, 66_152)] + [
        "silent"
    ]
    rows = pd.DataFrame({"path": ["a", "b", "c"], "stage": "audio", "reason": reasons, "exception": ""})
    write_table(rows, project / "data/audio/one/quarantine.parquet", QUARANTINE)
    (project / "data/records/audio").mkdir()
    (project / "data/records/audio/one.json").write_text('{"figures": {"quarantined": 3}}')
    (project / "registry/short").mkdir(parents=True)
    made = {
        "commit": "a" * 40,
        "dataset": "one",
        "tags": [],
        "leave_out": {},
        "stage": "train",
        "code": "c",
        "params": {},
    }
    metrics = {"roc_auc": {"n": 9, "value": 0.91234, "ci95": [0.9, 0.92]}}
    hashes = {"models/tagging/short": "b" * 32 + ".dir"}
    (project / "registry/short/1.json").write_text(
        json.dumps({"version": 1, "name": "short", **made, "metrics": metrics, "hashes": hashes})
    )
    history.append(project, "short", "registered", 1, "from a commit")
    history.append(project, "short", "promoted", 1, "the first")
    history.append(project, "short", "registered", 2, "from a commit")
    (project / "registry/other").mkdir()
    (project / "registry/other/history.jsonl").write_text("<<<<<<< merge\n")
    monkeypatch.setattr(disk, "LOW_BYTES", 10**18)
    going = follow.Follower(project, "conservatory run")
    going.line("Running stage 'raw@one':")
    record.add(
        project, [{"time": log.now(), "run": "gone", "what": "began", "door": "conservatory run", "pid": 2**22 - 1}]
    )
    found = gather.gather(project)
    assert found["quarantine"] == [
        {"dataset": "one", "n": 3, "reasons": {"… bytes behind its sound belong to no part of it": 2, "silent": 1}}
    ]
    other, short = found["models"]
    assert (short["champion"], short["challengers"], short["metrics"]["roc_auc"]["value"]) == (1, [2], 0.91234)
    assert "is no event" in other["problem"]
    assert [run["state"] for run in found["runs"]] == ["ended unexpectedly", "running"]
    (now,) = found["going"]
    assert now["now"] == "Running stage 'raw@one':"
    lines = "\n".join(text.lines(found))
    assert (
        "short: champion version 1" in lines
        and "one: 3 (… bytes behind its sound belong to no part of it 2, silent 1)" in lines
        and "free on this disk" in lines
    )
    shown = page.render(found)
    assert "version 1 since" in shown and "free on this disk" in shown
    going.end(0)


def test_links_count_once_and_patience_ends(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "cache/a").write_bytes(b"x" * 1_000_000)
    (tmp_path / "data/a").hardlink_to(tmp_path / "cache/a")
    cache, data = disk.usage(tmp_path, tmp_path / "cache")["places"]
    assert cache["bytes"] >= 1_000_000 and data["bytes"] == 0 and cache["whole"]
    assert data["linked"] >= 1_000_000 and cache["linked"] == 0
    assert not disk.usage(tmp_path, tmp_path / "cache", patience=-1)["places"][0]["whole"]


def test_a_file_in_two_places_of_the_list_counts_once(tmp_path, monkeypatch):
    """A cache of clips that lies below data/, and models/ that is a link to where the data are."""
    (tmp_path / "data/clips").mkdir(parents=True)
    (tmp_path / "data/clips/a").write_bytes(b"x" * 1_000_000)
    (tmp_path / "models").symlink_to(tmp_path / "data/clips")
    monkeypatch.setenv("CONSERVATORY_CACHE", str(tmp_path / "data/clips"))
    found = {place["name"]: place for place in disk.usage(tmp_path, None)["places"]}
    assert set(found) == {"data", "models", "clip cache"}
    assert [place["bytes"] >= 1_000_000 for place in found.values()] == [True, False, False]
    assert sum(place["bytes"] for place in found.values()) < 1_100_000
    assert all(found[name]["linked"] >= 1_000_000 for name in ("models", "clip cache"))


HOSTILE = '<script>alert(1)</script> \x1b[2J\x07 "onload=x'


def test_others_words_are_escaped(project):
    going = follow.Follower(project, HOSTILE)
    going.line("Running stage 'raw@one':")
    going.line(HOSTILE)
    going.line("ERROR: failed to reproduce 'raw@one'")
    going.end(1)
    edit(project / "params.yaml", "n: 3", "n: 5")
    found = gather.gather(project)
    shown = page.render(found)
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "default-src 'none'" in shown
    assert not any("\x1b" in line or "\x07" in line for line in text.lines(found))
    assert any("\x1b[31m" in line for line in text.lines(found, colours=True))


def test_a_project_before_its_first_run(tmp_path):
    project = create(tmp_path / "project")
    found = gather.gather(project)
    assert found["counts"] == {"never run": 8} and not gather.healthy(found) and found["runs"] == []
    assert "8 never run" in next(text.lines(found))
    assert page.render(found)
    dvc_repro(project, "raw@one")
    assert gather.gather(project)["counts"] == {"fresh": 1, "never run": 7}


def test_logs_say_when_there_are_none(project):
    done = run_in(project, *COMMAND, "logs", check=False, PYTHONPATH=str(PROJECT))
    assert done.returncode == 2 and "no log yet" in done.stderr
    assert Path(".cache/runs.jsonl").exists() is False


@pytest.mark.system
def test_a_failure_that_was_restored_is_none_after_the_next_change(project):
    def run():
        return run_in(project, *COMMAND, "run", check=False, PYTHONPATH=str(PROJECT)).returncode

    edit(project / "params.yaml", "n: 4", "n: -1")
    assert run()
    edit(project / "params.yaml", "n: -1", "n: 4")
    assert run() == 0
    edit(project / "params.yaml", "n: 4", "n: 5")
    assert gather.gather(project)["counts"].get("failed") is None


def test_retrainings_at_work_are_told_apart(project):
    for name in ("one", "two"):
        (project / worktree.FOLDER / name).mkdir(parents=True)
    with worktree.held(project, "one"):
        found = gather.gather(project)
    assert (found["retraining"], found["retrainings"]) == (["one"], ["two"])
    lines = "\n".join(text.lines(found))
    assert "Retrainings in progress\n  one\n" in lines and "(conservatory retrain --resume ID)\n  two\n" in lines
    assert "Retrainings in progress: one." in page.render(found)
    assert gather.gather(project)["retraining"] == []
