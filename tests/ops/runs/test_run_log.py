"""The log of a run and the record of runs: bounded, whole after a kill, and no reason for a run to fail."""

import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.ops.runs import follow, log, record


def follower(in_tmp, *lines, status=0, run=""):
    found = follow.Follower(in_tmp, "a test", run)
    for line in lines:
        found.line(line)
    found.end(status)
    return found


BAR = "features one:  50%|#####     | 384/768 [00:09<00:09, 41.20clip/s]"


def test_a_run_is_told_stage_by_stage(in_tmp):
    found = follower(
        in_tmp,
        "Stage 'raw@one' didn't change, skipping",
        "Running stage 'features@one-sum':",
        "> python x",
        BAR,
        BAR.replace("50%", "100%").replace("384/", "768/"),
        "Stage 'train' is cached - skipping run, checking out outputs",
    )
    assert found.counts == {"ran": 1, "unchanged": 1, "restored": 1}
    entries = record.read(in_tmp)
    stage = record.stages(entries)["features@one-sum"]
    assert (stage["state"], stage["items"], stage["unit"], stage["per_second"]) == ("ran", 768, "clip", 85.3333)
    (run,) = record.runs(entries).values()
    assert run["status"] == 0 and run["ran"] == 1 and run["began"] <= run["ended"]
    told = list(log.read(found.log.path))
    assert all({"time", "run", "stage", "event", "level", "message"} <= set(entry) for entry in told)
    assert [(entry["stage"], entry["event"]) for entry in told] == [
        ("", "run"), ("raw@one", "finished"), ("features@one-sum", "started"), ("features@one-sum", "output"),
        ("features@one-sum", "progress"), ("features@one-sum", "finished"), ("train", "finished"), ("", "ended"),
    ]  # fmt: skip
    assert told[4]["message"] == "features@one-sum: 384 of 768 clips, 43 a second, about 9 s left"


def test_the_reason_is_the_last_word_on_standard_error_whichever_channel_is_read_first(in_tmp):
    found = follow.Follower(in_tmp, "a test")
    found.line("Running stage 'raw@two':")
    found.error("WARNING: it is late")
    found.error("\x1b[31mtwo: no such file")
    found.line("raw two: looked at 3 files")
    found.error(BAR)
    found.error("ERROR: failed to reproduce 'raw@two': failed to run: python step.py, exited with 1")
    found.end(1)
    assert (found.failed["stage"], found.failed["reason"]) == ("raw@two", "two: no such file")


def test_what_dvc_says_comes_before_the_words_of_a_stage_that_ended_well(in_tmp):
    found = follow.Follower(in_tmp, "a test")
    found.line("Running stage 'a':")
    found.error("UserWarning: it is late")
    found.error("ERROR: failed to reproduce 'a': [Errno 28] No space left on device: '.dvc/cache'")
    found.end(1)
    assert found.failed["reason"] == "[Errno 28] No space left on device: '.dvc/cache'"
    assert follow.failure(["x", "ERROR: failed to reproduce 'a': no space"]) == ("a", "no space")


def test_a_file_in_use_is_no_failure(in_tmp):
    found = follow.Follower(in_tmp, "a test")
    found.line("Running stage 'a':")
    found.error("a: saw 12 odd files")
    found.line("Stage 'c' didn't change, skipping")
    for line in (
        "ERROR: failed to reproduce 'b': '/x/data/one' is busy, it is being blocked by:",
        "  (PID 12): dvc repro",
        "If there are no processes with such PIDs, you can manually remove '.dvc/tmp/rwlock' and try again.",
    ):
        found.error(line)
    found.end(1)
    assert found.busy == "/x/data/one" and found.failed is None
    assert {line.get("state") for line in record.read(in_tmp)} == {None, "ran"}
    assert not any("rwlock" in entry["message"] for entry in log.read(found.log.path))


@pytest.mark.parametrize("colour", ["", "\x1b[31m"])
def test_a_failure_has_its_stage_and_reason(in_tmp, colour):
    found = follower(
        in_tmp,
        "Running stage 'raw@two':",
        "> python step.py",
        "Traceback (most recent call last):",
        BAR,
        "ValueError: two: there is no such file",
        f"{colour}ERROR{colour and chr(27) + '[39m'}: failed to reproduce 'raw@two': failed to run: python step.py",
        status=255,
    )
    assert found.failed["stage"] == "raw@two" and found.failed["reason"] == "ValueError: two: there is no such file"
    assert record.stages(record.read(in_tmp))["raw@two"]["state"] == "failed"
    (run,) = record.runs(record.read(in_tmp)).values()
    assert (run["failed"], run["reason"]) == ("raw@two", "ValueError: two: there is no such file")
    assert [entry["message"] for entry in log.read(found.log.path) if entry["event"] == "failed"] == [run["reason"]]


def test_a_failure_before_any_stage(in_tmp):
    found = follower(in_tmp, "ERROR: Unable to acquire lock. Most likely another DVC process is running", status=255)
    assert found.failed["stage"] == "" and "Unable to acquire lock" in found.failed["reason"]


@pytest.mark.parametrize(
    ("status", "killed"),
    [
        (-9, "it was killed (signal 9: perhaps memory ran out)"),
        (137, "it was killed (signal 9: perhaps memory ran out)"),
        (-15, "it was killed (signal 15)"),
        (143, "it was killed (signal 15)"),
    ],
)
def test_a_stage_that_was_killed_says_so(in_tmp, status, killed):
    """And what it said last is no reason: it may be a word of success."""
    error = f"ERROR: failed to reproduce 'a': failed to run: python step.py, exited with {status}"
    assert follower(in_tmp, "Running stage 'a':", "> python step.py", error, status=255).failed["reason"] == killed
    found = follower(in_tmp, "Running stage 'a':", "> python step.py", "a: no copies: passed", error, status=255)
    assert found.failed["reason"] == f"{killed}; its last line: a: no copies: passed"
    assert follow.failure(["passed", error]) == ("a", f"{killed}; its last line: passed")
    assert follow.failure(["", "no stage"]) == ("", "no stage")


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("number", follow.KILLS)
def test_the_shells_word_on_a_killed_command_is_not_the_stages(in_tmp, shell, number):
    """DVC runs a stage by the user's shell; a command that is not its last, or has variables, is its child."""
    step = f'import os; print("no copies: passed", flush=True); os.kill(os.getpid(), {number})'
    command = f"{sys.executable} -c '{step}'; exit $?"
    done = subprocess.run(
        [shell, "-c", command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    said = done.stdout.splitlines()
    assert done.returncode == 128 + number and said[0] == "no copies: passed"
    error = f"ERROR: failed to reproduce 'a': failed to run: python step.py, exited with {done.returncode}"
    found = follower(in_tmp, "Running stage 'a':", *said, error, status=255)
    assert found.failed["reason"].endswith("its last line: no copies: passed")
    assert follow.failure([*said, error]) == ("a", found.failed["reason"])


def test_a_status_of_a_stages_own_is_no_signal(in_tmp):
    error = "ERROR: failed to reproduce 'a': failed to run: python step.py, exited with 130"
    assert follow.failure(["no such file", error]) == ("a", "no such file")


def test_a_loud_stage_keeps_its_first_and_last_lines(in_tmp):
    found = follower(in_tmp, "Running stage 'a':", *(f"line {n}" for n in range(100_000)))
    told = [entry["message"] for entry in log.read(found.log.path) if entry["event"] == "output"]
    assert len(told) == log.FIRST + log.LAST + 1 and told[0] == "line 0" and told[-1] == "line 99999"
    assert told[log.FIRST] == f"({100_000 - log.FIRST - log.LAST} lines are left out here)"


def test_many_loud_stages_fill_a_file_no_further_than_its_bound(in_tmp, monkeypatch):
    monkeypatch.setattr(log, "MAX_BYTES", 50_000)
    found = follower(
        in_tmp, *(line for stage in range(100) for line in (f"Running stage 's{stage}':", *["x" * 1000] * 30, "last"))
    )
    assert found.log.path.stat().st_size < 50_000 + 100 * (log.LAST * 1200 + 500)
    assert [e["stage"] for e in log.read(found.log.path) if e["event"] == "finished"] == [f"s{n}" for n in range(100)]


def test_the_newest_runs_are_kept(in_tmp, monkeypatch):
    monkeypatch.setattr(log, "MAX_RUNS", 3)
    for number in range(6):
        follower(in_tmp, run=f"run{number}")
    assert [path.stem for path in log.runs(log.folder(in_tmp))] == ["run3", "run4", "run5"]


def test_a_record_that_grew_loses_its_older_half(in_tmp, monkeypatch):
    monkeypatch.setattr(record, "MAX_BYTES", 20_000)
    for number in range(500):
        record.add(in_tmp, [{"time": log.now(), "run": f"r{number}", "what": record.STAGE, "stage": "a"}])
        assert (in_tmp / record.FILE).stat().st_size <= 20_000
    entries = record.read(in_tmp)
    assert 50 < len(entries) < 500 and entries[-1]["run"] == "r499"


def test_half_a_line_of_a_kill_spoils_nothing(in_tmp):
    found = follower(in_tmp, run="first")
    for path in (in_tmp / record.FILE, found.log.path):
        with open(path, "a") as file:
            file.write('{"time": "2026-01-')
    again = follower(in_tmp, run="second")
    assert set(record.runs(record.read(in_tmp))) == {"first", "second"}
    assert [entry["event"] for entry in log.read(found.log.path)] == ["run", "ended"]
    assert [entry["event"] for entry in log.read(again.log.path)] == ["run", "ended"]


def test_where_nothing_can_be_written_the_run_goes_on(in_tmp):
    (in_tmp / ".cache").write_text("a file where a folder should be")
    assert follower(in_tmp, "Running stage 'a':").counts["ran"] == 1


def test_a_full_disk_ends_the_log_and_not_the_run(in_tmp, capsys):
    found = follow.Follower(in_tmp, "a test")
    found.log.file.close()
    found.log.file = open("/dev/full", "w")  # noqa: SIM115
    found.line("Running stage 'a':")
    found.line("more")
    found.end(0)
    assert found.counts["ran"] == 1 and "The run's log cannot be continued" in capsys.readouterr().err


def test_what_is_no_text_is_written_all_the_same(in_tmp):
    found = follower(
        in_tmp, "Running stage 'a':", 'quo"te \udcff \x00 \u2028 line', "ERROR: failed to reproduce 'a'", status=1
    )
    assert [entry["message"] for entry in log.read(found.log.path)][2] == 'quo"te ? \x00 \u2028 line'
    assert record.stages(record.read(in_tmp))["a"]["reason"].endswith("\x00 \u2028 line")


@pytest.mark.parametrize(
    "line", ["Stage 'a' is cached - skipping run, checking out outputs", "Stage 'a' didn't change, skipping"]
)
def test_a_failure_is_over_once_its_stage_is_restored_or_unchanged(in_tmp, line):
    follower(in_tmp, "Running stage 'a':", "ERROR: failed to reproduce 'a': why", status=255)
    follower(in_tmp, line, run="second")
    stage = record.stages(record.read(in_tmp))["a"]
    assert (stage["state"], stage["run"]) == ("fresh", "second")
    before = record.read(in_tmp)
    assert record.made_good(in_tmp, ["a", "b"]) == [] and record.read(in_tmp) == before, "nothing more to note"


def test_stages_found_fresh_are_noted_where_they_failed_last(in_tmp):
    follower(in_tmp, "Running stage 'a':", "ERROR: failed to reproduce 'a': why", status=255)
    assert record.made_good(in_tmp, ["b"]) == [] and record.stages(record.read(in_tmp))["a"]["state"] == "failed"
    assert record.made_good(in_tmp, ["b", "a", "a"]) == ["a"]
    assert record.stages(record.read(in_tmp))["a"]["state"] == "fresh"


RUN = """
import os, sys, time
from pathlib import Path
from pipelines.ops.runs import follow
found = follow.Follower(Path(), "a test", "killed")
found.line("Running stage 'a':")
print("begun", flush=True)
time.sleep(600)
"""


@pytest.mark.fault
@pytest.mark.cold
@pytest.mark.parametrize("reaped", [True, False])
def test_following_a_run_that_is_killed_ends(in_tmp, reaped):
    path = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", RUN], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    )
    assert process.stdout.readline() == b"begun\n"
    found, said = log.folder(in_tmp) / "killed.jsonl", []
    reader = threading.Thread(target=lambda: said.extend(log.read(found, follow=True)), daemon=True)
    reader.start()
    reader.join(1.5)
    assert reader.is_alive() and len(said) == 2, "it goes on as long as the run does"
    process.send_signal(signal.SIGKILL)
    if reaped:
        process.wait()
    reader.join(30)
    assert not reader.is_alive() and len(said) == 2
    process.wait()
    assert not psutil.pid_exists(process.pid)
    result = CliRunner().invoke(app, ["logs", "--follow"])
    assert result.exit_code == 0 and "The run did not end properly" in result.output


def test_a_list_of_no_logs_says_so(in_tmp):
    result = CliRunner().invoke(app, ["logs", "--list"])
    assert result.exit_code == 0 and "There is no log yet" in result.output


def test_a_stage_that_a_log_does_not_have_is_said(in_tmp):
    follower(in_tmp, "Running stage 'a':", "word")
    assert "word" in CliRunner().invoke(app, ["logs", "--stage", "a"]).output
    result = CliRunner().invoke(app, ["logs", "--stage", "nosuch"])
    assert result.exit_code == 2 and "has no stage 'nosuch'; it has a." in result.output
