"""What Dagster shows of a stage while it runs and afterwards, and the alerts its sensor sends."""

import datetime
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import dagster as dg
import pytest
from tiny_project import create, dagster_home, edit, events, materialize

from assets import alerts, recipe, repro
from pipelines.ops.alerts import settings
from pipelines.ops.runs import log, record

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
BARS = """
for done, elapsed in ((0, 0), (384, 9), (768, 12)):
    print(f"{stage} {key}: {done * 100 // 768:3d}%|###    | {done}/768 [00:{elapsed:02d}<00:09, 41.20clip/s]", file=sys.stderr)
"""


@pytest.fixture
def project(tmp_path):
    project = create(tmp_path / "project")
    with dagster_home(project) as instance:
        yield project, instance


def test_progress_and_throughput(project):
    project, instance = project
    edit(project / "pipelines/step.py", "if n < 0:", BARS + "\nif n < 0:")
    result = materialize(project, instance, "raw", keys=("one",))
    said = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert "raw@one: 384 of 768 clips, 43 a second, about 9 s left" in said
    assert not any("|###" in line for line in said), "bars become sentences, and few"
    shown = events(result)["raw", "one"].metadata
    assert shown["run: clips"].value == 768.0 and shown["run: clips a second"].value == 64.0
    assert isinstance(shown["wall time (s)"], dg.FloatMetadataValue) and shown["clips"].value == 3
    stage = record.stages(record.read(project))["raw@one"]
    assert (stage["state"], stage["items"], stage["per_second"]) == ("ran", 768, 64)


def test_a_loud_stage_does_not_fill_dagsters_history(project):
    project, _ = project
    edit(project / "pipelines/step.py", "if n < 0:", 'for line in range(20_000):\n    print("again", line)\nif n < 0:')
    said = []
    (finished,) = repro.repro(project, ["raw@one"], said.append)
    assert finished.stage == "raw@one" and len(said) < repro.SAID + 10
    (where,) = [line for line in said if "conservatory logs --run" in line]
    path = log.folder(project) / f"{where.split()[-1]}.jsonl"
    assert "again 19999" in [entry["message"] for entry in log.read(path)]


def look(project, instance, cursor):
    sensor = alerts.sensor(project, recipe.load(project))
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        data = sensor.evaluate_tick(context)
    return data.skip_message, data.cursor


def told(project):
    path = project / "told.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_sensor_tells_of_failures_checks_and_refusals_once(project, monkeypatch):
    project, instance = project
    assert look(project, instance, None)[0] == "no alerts are configured" and not alerts.wanted(project)
    monkeypatch.setenv(settings.COMMAND, f"(cat; echo) >> {project}/told.jsonl")
    assert alerts.wanted(project)
    assert look(project, instance, None)[0] == "first look: alerts are sent for events from now on"
    cursor = json.dumps(time.time() - 2)
    # a run that fails, a check of severity ERROR and one that only warns, a refused promotion
    edit(project / "params.yaml", "n: 3", "n: -1")
    assert not materialize(project, instance, "raw", keys=("one",)).success
    edit(project / "pipelines/step.py", '"finite": {"passed": True', '"finite": {"passed": False')
    assert materialize(project, instance, "raw", keys=("two",)).success
    (project / "registry/short").mkdir(parents=True)
    event = {"time": log.now(), "event": "refused", "version": 2, "reason": "worse than version 1"}
    (project / "registry/short/history.jsonl").write_text(json.dumps(event) + "\n{damaged\n")
    why, cursor = look(project, instance, cursor)
    found = {alert["kind"]: alert for alert in told(project)}
    assert why == "3 alerts were sent" and len(told(project)) == 3
    assert (found["failed"]["about"], found["failed"]["reason"]) == ("raw@one", "one: there is no file of -1 numbers")
    assert "Dagster run " in found["failed"]["detail"] and "failed to reproduce 'raw@one'" in found["failed"]["detail"]
    assert found["check failed"]["about"] == "raw: finite"
    assert found["refused"]["reason"] == "version 2 is refused, worse than version 1"
    assert look(project, instance, cursor)[0] == "0 alerts were sent"
    assert look(project, instance, json.dumps(0.0))[0] == "0 alerts were sent", "also by who has forgotten"
    assert len(told(project)) == 3


@pytest.mark.system
def test_waiting_for_files_in_use_is_one_run_and_no_failure(project, monkeypatch):
    project, _ = project
    monkeypatch.setattr(repro, "AGAIN", 0.1)
    edit(project / "params.yaml", "n: 3", "n: 5")
    held = subprocess.Popen([sys.executable, "-c", "input()", "dvc", "repro"], stdin=subprocess.PIPE)
    info = {"pid": held.pid, "cmd": "dvc repro"}
    out = recipe.load(project)["raw"].stages[0].outs[0]
    (project / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {str(project / out): info}, "read": {}}))
    attempts, prepare = [], repro._prepare

    def watched(*arguments):
        attempts.append(arguments)
        if len(attempts) == 4:
            held.communicate()
        return prepare(*arguments)

    monkeypatch.setattr(repro, "_prepare", watched)
    said = []
    (finished,) = repro.repro(project, ["raw@one"], said.append)
    assert finished.changed and len(attempts) == 4
    assert [line for line in said if "another run" in line] == [
        f"another run uses {project / out}: waiting for its end"
    ]
    assert not any("rwlock" in line or "ERROR" in line for line in said if "released" not in line)
    lines = record.read(project)
    assert [line["what"] for line in lines] == [record.BEGAN, record.STAGE, record.ENDED]
    assert lines[1]["state"] == "ran" and lines[2]["status"] == 0


def test_no_event_of_one_second_hides_another(project, monkeypatch):
    project, instance = project
    heard = []
    monkeypatch.setattr(alerts, "alert", lambda project, *, id, say, **event: heard.append(id) or True)
    monkeypatch.setenv(settings.COMMAND, "true")
    _, cursor = look(project, instance, None)
    second = int(time.time()) + 5
    of_second = datetime.datetime.fromtimestamp(second, datetime.UTC).isoformat()
    history = project / "registry/short/history.jsonl"
    history.parent.mkdir(parents=True)

    def refuse(version):
        event = {"time": of_second, "event": "refused", "version": version, "reason": "worse"}
        with history.open("a") as file:
            file.write(json.dumps(event) + "\n")

    runs = []
    monkeypatch.setattr(alerts, "_records", lambda *arguments: iter(runs))
    refuse(1)
    _, cursor = look(project, instance, cursor)
    refuse(2)
    run = instance.create_run_for_job(dg.job(name="x")(lambda: None))
    runs.append(SimpleNamespace(dagster_run=run, end_time=second + 0.5))
    _, cursor = look(project, instance, cursor)
    assert len(heard) == 3 and {id.rpartition(" ")[0] for id in heard} >= {"refused short 2", "run"}
    assert look(project, instance, cursor)[0] == "0 alerts were sent" and len(heard) == 3


def test_more_failed_runs_than_are_asked_for_at_once_are_all_told(project, monkeypatch):
    project, instance = project
    heard = []
    monkeypatch.setattr(alerts, "alert", lambda project, *, id, say, **event: heard.append(id) or True)
    monkeypatch.setattr(alerts, "MAX_RUNS", 2)
    monkeypatch.setenv(settings.COMMAND, "true")
    _, cursor = look(project, instance, None)
    runs = [instance.create_run_for_job(dg.job(name="x")(lambda: None)) for _ in range(5)]
    for run in runs:
        instance.report_run_failed(run)
    assert look(project, instance, cursor)[0] == "5 alerts were sent"
    assert set(heard) == {f"run {run.run_id}" for run in runs}


def test_settings_that_cannot_be_used_are_said(project):
    project, instance = project
    (project / "params.yaml").open("a").write("alerts: {webhook: 'http://example.org'}\n")
    assert alerts.wanted(project)
    assert look(project, instance, None)[0].startswith("no alert can be sent: alerts.webhook in params.yaml must be")


def test_what_dagster_starts_sends_none_itself():
    assert repro.environment()[settings.OFF] == "off" and settings.OFF not in os.environ
