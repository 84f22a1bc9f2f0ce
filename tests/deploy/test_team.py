"""A team's deployment for real, without containers: Postgres, code server, daemon and webserver over a small project."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import needs
import psutil
import pytest
from services import REPOSITORY, wait_for
from test_ui import PATIENCE, browser

pytestmark = [pytest.mark.system, pytest.mark.cold]

__all__ = ["browser"]  # a fixture


@pytest.fixture(scope="module", autouse=True)
def at_work(team):
    """The daemon too, and an empty queue."""
    if team.database is None:
        needs.postgres()
    for run in team.runs():
        team.ask("mutation($run: String!) {terminateRun(runId: $run) {__typename}}", run=run["runId"])
    team.daemon.start()


@pytest.fixture(scope="module")
def finished(team):
    """Everything has been made once."""
    assert team.wait(team.launch("demo"))["status"] == "SUCCESS", team.tails()


@pytest.fixture
def hold(team):
    """`hold("train")`: commands of that stage wait until the test lets them go on."""
    made = []

    def make(stage):
        made.append(team.folder / f"hold-{stage}")
        made[-1].touch()
        return made[-1]

    yield make
    for file in made:
        file.unlink(missing_ok=True)


def changed(team, number):
    """Make every features and train stage stale."""
    text = (team.folder / "params.yaml").read_text()
    head, _, _ = text.partition("features:")
    (team.folder / "params.yaml").write_text(
        f"{head}features:\n  sum: {{v: {number}}}\n  product: {{v: {number}}}\nrecipes:\n  quick: {{}}\n"
        f"taggers:\n  short: {{recipe: quick, v: {number}}}\n"
    )


def worker(team) -> psutil.Process:
    """The run's process that has a stage's command under way."""

    def there():
        for process in psutil.Process(team.code.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # or a zombie, which is one
                if any("guard.py" in word for word in process.cmdline()):
                    return process.parent()

    return wait_for(there, "a stage to run", team.tails)


def family(team, run: str) -> list[dict]:
    """A run, and the runs it was tried again as."""
    return [one for one in team.runs() if run in (one["runId"], one["tags"].get("dagster/root_run_id"))]


def retried(team, run: str) -> dict:
    """The run that was launched because `run` was cut off, once it has ended."""
    assert team.wait(run)["status"] == "FAILURE"

    def there():
        return next((one for one in team.runs() if one["tags"].get("dagster/parent_run_id") == run), None)

    return team.wait(wait_for(there, "the run to be tried again", team.tails)["runId"])


def test_settings_and_history_are_in_postgres(team):
    assert not list(team.folder.rglob("*.db"))
    asked = "{instance{info runQueueConfig{maxConcurrentRuns} poolConfig{poolGranularity defaultPoolLimit}}}"
    told = team.ask(asked)["instance"]
    assert told["poolConfig"] == {"poolGranularity": "run", "defaultPoolLimit": 1}
    password = Path(team.environment["PGPASSWORD_FILE"]).read_text()
    assert "PostgresRunStorage" in told["info"] or "postgres" in told["info"]
    assert password not in told["info"]
    limits = team.ask("{instance{concurrencyLimits{concurrencyKey limit}}}")["instance"]["concurrencyLimits"]
    assert {"concurrencyKey": "gpu", "limit": 1} in limits and {"concurrencyKey": "heavy", "limit": 2} in limits


def test_a_run_whose_process_is_killed_is_tried_again(team, hold):
    held = hold("train")
    run = team.launch("demo")
    victim = worker(team)
    os.kill(victim.pid, signal.SIGKILL)
    team.wait(run, "FAILURE")
    held.unlink()
    assert retried(team, run)["status"] == "SUCCESS", team.tails()


def test_pools_are_honoured(team, hold, finished):
    changed(team, 2)
    held = hold("features"), hold("train")
    heavy = [team.materialize("features", key) for key in ("one|product", "two|product", "two|sum")]
    gpu = [team.materialize("train", "short") for _ in range(2)]
    # the queue is looked at in order: when the last has been run, the others have had their chance
    assert team.wait(team.materialize("raw", "three"))["status"] == "SUCCESS", team.tails()
    assert [team.run(run)["status"] for run in heavy] == ["STARTED", "STARTED", "QUEUED"]
    assert [team.run(run)["status"] for run in gpu] == ["STARTED", "QUEUED"]
    for file in held:
        file.unlink()
    assert {team.wait(run)["status"] for run in (*heavy, *gpu)} == {"SUCCESS"}, team.tails()


def test_a_run_waits_for_the_files_that_another_writes(team, hold, finished):
    changed(team, 5)
    held = hold("features")
    first = team.materialize("features", "one|sum")
    worker(team)
    second = team.materialize("train", "short")  # reads what the first is making
    wait_for(lambda: "waiting for its end" in team.said(second), "the second to wait", team.tails)
    assert team.run(first)["status"] == "STARTED"
    held.unlink()
    assert [team.wait(run)["status"] for run in (first, second)] == ["SUCCESS", "SUCCESS"], team.said(second)
    assert team.run(second)["endTime"] > team.run(first)["endTime"]


def test_a_run_whose_code_server_is_killed_is_tried_again(team, hold, finished):
    changed(team, 4)
    held = hold("train")
    run = team.launch("demo")
    worker(team)
    team.code.kill()
    held.unlink()
    team.code.start()
    assert retried(team, run)["status"] == "SUCCESS", team.tails()


def test_a_run_that_finds_no_code_server_goes_back_to_the_queue(team, finished):
    team.daemon.stop()
    run = team.launch("demo")
    team.code.kill()
    team.daemon.start()
    wait_for(lambda: "re-submitting the run" in team.said(run), "the run to go back", team.tails)
    team.code.start()
    assert team.wait(run)["status"] == "SUCCESS", team.tails()


def test_postgres_is_killed(team, hold, finished):
    changed(team, 7)
    held = hold("train")
    run = team.launch("demo")
    worker(team)
    team.database.kill()
    held.unlink()  # the run goes on, and has nobody to tell
    team.database.start()
    team.revive()

    def ended() -> str | None:
        team.revive()
        with suppress(AssertionError):  # a connection that is gone is noticed once
            return next((one["status"] for one in family(team, run) if one["status"] == "SUCCESS"), None)

    wait_for(ended, "the run, or what it was tried again as, to succeed", team.tails, patience=400)
    assert (team.folder / "models/short").exists()


def test_a_schedule_fires(team):
    to = {**REPOSITORY, "scheduleName": "weekly_retrain"}
    team.ask("mutation($to: ScheduleSelector!) {startSchedule(scheduleSelector: $to) {__typename}}", to=to)
    run = wait_for(lambda: started_by(team, "weekly_retrain"), "the schedule to fire", team.tails)[0]
    asked = "query($to: ScheduleSelector!) {scheduleOrError(scheduleSelector: $to) {... on Schedule {id}}}"
    found = team.ask(asked, to=to)["scheduleOrError"]["id"]
    team.ask("mutation($id: String!) {stopRunningSchedule(id: $id) {__typename}}", id=found)
    assert team.wait(run)["status"] == "SUCCESS", team.tails()


def test_the_sensor_sees_new_data_and_sees_them_once(team):
    to = {**REPOSITORY, "sensorName": "new_data"}
    team.ask("mutation($to: SensorSelector!) {startSensor(sensorSelector: $to) {__typename}}", to=to)

    def looks() -> int:
        asked = "query($to: SensorSelector!) {sensorOrError(sensorSelector: $to) {... on Sensor {sensorState {ticks {id}}}}}"
        return len(team.ask(asked, to=to)["sensorOrError"]["sensorState"]["ticks"])

    wait_for(looks, "a first look", team.tails)
    assert not started_by(team, "new_data")
    (team.music / "song.wav").write_text("new")
    (run,) = wait_for(lambda: started_by(team, "new_data"), "the sensor to see the song", team.tails)
    assert team.wait(run)["status"] == "SUCCESS", team.tails()
    before = looks()
    wait_for(lambda: looks() >= before + 3, "three more looks", team.tails)
    assert started_by(team, "new_data") == [run]


def test_the_page_says_where_runs_come_from(team, browser, tmp_path):
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(f"{team.url}/runs")
    states = {run["status"].capitalize() for run in team.runs()} & {"Failure", "Success"}
    for text in ("weekly_retrain", "new_data", "Manually launched", *sorted(states)):
        page.get_by_text(text, exact=False).first.wait_for()
    page.screenshot(path=tmp_path / "runs.png")


def started_by(team, *names: str) -> list[str]:
    """The runs that a schedule or a sensor of one of these names launched."""
    tags = ("dagster/schedule_name", "dagster/sensor_name")
    return [run["runId"] for run in team.runs() if any(run["tags"].get(tag) in names for tag in tags)]
