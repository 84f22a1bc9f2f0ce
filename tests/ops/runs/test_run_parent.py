"""What a killed process began ends with it: the command, its stage, and what that stage began."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
from helpers import PROJECT
from tiny_project import create, edit

from pipelines.ops.runs import parent

pytestmark = [pytest.mark.fault, pytest.mark.cold]
PATIENCE = 60  # seconds for processes to end on a busy machine
BEGIN = """
import os, subprocess, sys
from pipelines.ops.runs import parent
command = [sys.executable, "-c", sys.argv[1]]
process = subprocess.Popen(command, env={**os.environ, **parent.named()})
process.wait()
"""
WATCH = """
import os, signal, subprocess, sys, time
from pipelines.ops.runs import parent
parent.PATIENCE = 1.0
with parent.watched():
    assert parent.PARENT not in os.environ
    stubborn = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('begun', flush=True); time.sleep(1000)"
    begun = subprocess.Popen([sys.executable, "-c", stubborn])
    {}
    begun.wait()
"""


def ended(processes):
    """Do all of them end? Those that nobody waits for, as in a container without an init, stay as zombies."""
    until = psutil.wait_procs(processes, PATIENCE)[1]
    return not any(map(parent.lives, until))


@pytest.mark.parametrize("ignores", ["", "signal.signal(signal.SIGINT, signal.SIG_IGN)"], ids=["at once", "by force"])
def test_a_command_and_what_it_began_end_with_its_parent(ignores):
    command = [sys.executable, "-c", BEGIN, WATCH.format(ignores)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"begun\n"
        begun = psutil.Process(process.pid).children(recursive=True)
        assert len(begun) == 2
        process.kill()
        assert ended(begun)


def test_a_command_whose_parent_lives_ends_as_it_would():
    code = "import sys; from pipelines.ops.runs import parent\nwith parent.watched(): sys.exit(3)"
    for variables in ({}, parent.named()):
        done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env={**os.environ, **variables})
        assert done.returncode == 3


def test_a_run_that_is_killed_takes_its_dvc_and_its_stage_along(tmp_path):
    """The next run begins at once and makes the stage whole."""
    project = create(tmp_path / "project")
    for end in ("begun", "go"):
        os.mkfifo(tmp_path / end)
    waits = f"echo > {tmp_path}/begun; cat {tmp_path}/go; python pipelines/step.py report"
    edit(project / "dvc.yaml", "cmd: python pipelines/step.py report", f"cmd: {waits}")
    command = [sys.executable, "-m", "pipelines.cli", "run"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=project, env=environment, **quiet)
    assert (tmp_path / "begun").read_text() == "\n"
    begun = psutil.Process(process.pid).children(recursive=True)
    assert any("pipelines.ops.dvc.lock" in one.cmdline() for one in begun) and len(begun) >= 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ended(begun)
    edit(project / "dvc.yaml", waits, "python pipelines/step.py report")
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "waiting until it ends" not in done.stdout
