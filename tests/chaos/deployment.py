"""kill -9 in a team's deployment, at a random moment of a run: of the run's worker, the daemon, Postgres, or the code server.

What was killed is started again, as systemd would. One deployment serves all trials of a process.
"""

import atexit
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path

import psutil

from chaos import project

for place in ("assets", "deploy"):  # their modules are no packages
    sys.path.append(str(project.PROJECT / "tests" / place))

import needs  # noqa: E402
import services  # noqa: E402

VICTIMS = ("worker", "daemon", "Postgres", "code server")
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
PATIENCE = 400  # seconds


def possible() -> bool:
    try:
        needs.postgres()
    except needs.Missing:
        return False
    return True


@cache
def deployment() -> tuple:
    """(services, Postgres, a copy of the project after its undisturbed run, how long that took)."""
    stack = ExitStack()
    atexit.register(stack.close)
    home = Path(tempfile.mkdtemp(prefix="deployment-"))
    stack.callback(shutil.rmtree, home, True)
    folder = services.project(home / "project")
    database = stack.enter_context(services.postgres())
    team = stack.enter_context(services.team(folder, database))
    began = time.monotonic()
    assert team.wait(team.launch("demo"), patience=PATIENCE)["status"] == "SUCCESS", team.tails()
    took = time.monotonic() - began
    return team, database, shutil.copytree(folder, home / "reference"), took


def one(seed: int, reference: Path, folder: Path) -> str:
    draw = random.Random(seed)
    victim = VICTIMS[seed % len(VICTIMS)]
    team, database, wanted, took = deployment()
    stale(team.folder)
    run = launch(team)
    wait = draw.random() * took
    time.sleep(wait)  # the random moment
    status = team.run(run)["status"]
    if victim == "worker":
        with suppress(AssertionError):  # between two stages there is none, and at the end
            services.wait_for(lambda: worker(team) or team.run(run)["status"] in ENDED, "a stage to run")
        found = worker(team)
        for process in found:
            process.send_signal(signal.SIGKILL)
        status += "" if found else "; there was none any more"
    else:
        service = {"daemon": team.daemon, "Postgres": database, "code server": team.code}[victim]
        service.kill()
        service.start()
    services.wait_for(lambda: at_rest(team), "runs to end", team.tails, PATIENCE)
    ended = [each["status"] for each in team.runs() if run in (each["runId"], each["tags"].get("dagster/root_run_id"))]
    done = f"{victim}, {wait:.1f} s after the launch ({status}); its run and what was tried again: {', '.join(ended)}"
    again = team.wait(launch(team), patience=PATIENCE)
    assert again["status"] == "SUCCESS", f"{done}; the next run: {team.said(again['runId'])[-3000:]}"
    found = project.differences(team.folder, wanted)
    assert not found, f"{done}: {found[:5]}"
    return done


def launch(team) -> str:
    """As the page does, where one would press the button again: it takes some seconds until it sees what came back."""

    def launched():
        with suppress(AssertionError):
            return team.launch("demo")

    return services.wait_for(launched, "the page to launch a run", team.tails, PATIENCE)


def stale(folder: Path) -> None:
    """As if no stage had ever run."""
    shutil.rmtree(folder / ".dvc/cache/runs", ignore_errors=True)
    for name in ("dvc.lock", *project.PLACES):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def worker(team) -> list[psutil.Process]:
    """The process of the run that is at work: the one of the code server's below which stages are."""
    for process in psutil.Process(team.code.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # or a zombie, which is one
            if any("guard.py" in word for word in process.cmdline()):
                return [process.parent()]
    return []


def at_rest(team) -> bool:
    try:
        return all(each["status"] in ENDED for each in team.runs())
    except AssertionError:  # the page has no database for a moment
        return False
