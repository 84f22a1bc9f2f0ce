"""kill -9 and SIGTERM at a random moment of a run: of everything, of the stage alone, of its DVC alone, of `conservatory` alone.

What a killed DVC leaves behind goes on working, as it would on a user's machine, while the next run begins. What a killed
`conservatory` had begun ends with it (`pipelines/ops/runs/parent.py`).
"""

import contextlib
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil

from chaos import project

WHOM = ("all", "stage", "dvc", "run")
PATIENCE = 300  # seconds for what must end by itself
KILLS = 3  # a trial


def one(seed: int, reference: Path, folder: Path, number: int = signal.SIGKILL) -> str:
    """A trial: a stale stage, and runs of it of which the first three are killed. Returns what was done; raises
    `AssertionError`."""
    draw = random.Random(seed)
    stage, cold = draw.choice(stages(reference)), draw.random() < 0.5
    place = project.copy(reference, folder / "project")
    project.forget(place, stage, cold)
    done, ended = [f"{stage}, {'cold' if cold else 'warm'}"], False
    while len(done) <= KILLS:
        command = draw.choice([(*project.CLI, "run"), (*project.DVC, "repro")][: 1 if ended else 2])
        whom = draw.choice(WHOM if "run" in command else WHOM[:-1])
        process = start(place, (*command, stage))
        try:
            moment = draw.choice(["before", "during", "during", "during", "after"])
            said = strike(process, stage, whom, moment, draw.random(), number)
        finally:
            process.wait()
        if said:
            done.append(f"{' '.join(command[2:])}: {whom}, {said}")
        else:  # it had ended: once more, if it did not end because the one before was killed (DVC says "busy")
            settle(place)
            ended = True
            if stage in stages(place):
                project.forget(place, stage, cold)
    rerun(place, reference, "; ".join(done))
    return "; ".join(done)


def stages(reference: Path) -> list[str]:
    return sorted(project.locked(reference))


def start(place: Path, command: tuple[str, ...]) -> subprocess.Popen:
    """A run in a process group of its own; what it says is kept in the project."""
    with open(place / "said", "a") as said:
        return subprocess.Popen(
            command, cwd=place, env=project.environment(place), stdout=said, stderr=said, start_new_session=True
        )


def strike(process: subprocess.Popen, stage: str, whom: str, moment: str, share: float, number: int) -> str:
    """Wait for the moment, and kill; returns when that was, "" if all had ended.

    "before": in the first seconds; "during": after the stage's process has begun; "after": when it has ended, while DVC takes
    its outputs.
    """
    began = time.monotonic()
    if moment == "before":
        wait_for(lambda: time.monotonic() - began > 2.5 * share, process)
    else:
        wait_for(lambda: at_work(process, stage), process)
        began = time.monotonic()
        if moment == "during":
            wait_for(lambda: time.monotonic() - began > 3 * share, process)
        else:
            wait_for(lambda: not at_work(process, stage), process)
            began = time.monotonic()
            wait_for(lambda: time.monotonic() - began > 1.0 * share, process)
    found = targets(process, whom) or targets(process, "all")
    for victim in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.send_signal(number)
    return f"{moment}, {time.monotonic() - began:.2f} s" if found else ""


def wait_for(condition, process: subprocess.Popen) -> None:
    """Until `condition()`, or the process has ended."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None and not condition():
        assert time.monotonic() < until, "the run neither ended nor came so far"
        time.sleep(0.01)


def family(process: subprocess.Popen) -> list[psutil.Process]:
    try:
        head = psutil.Process(process.pid)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def at_work(process: subprocess.Popen, stage: str) -> bool:
    return any(_is_stage(one) for one in family(process))


def _is_stage(process: psutil.Process) -> bool:
    said = words(process)[1:3]
    return said[:1] == ["-m"] and said[-1].startswith("pipelines.stages.")


def _is_dvc(process: psutil.Process) -> bool:
    return words(process)[1:3] in (["-m", "dvc"], ["-m", "pipelines.ops.dvc.lock"])


def targets(process: subprocess.Popen, whom: str) -> list[psutil.Process]:
    members = family(process)
    if whom == "all":
        return members
    if whom == "run":
        return members[:1]
    if whom == "dvc":
        return [member for member in members if _is_dvc(member)]
    stage = next((member for member in members if _is_stage(member)), None)
    return [stage, *stage.children(recursive=True)] if stage and stage.is_running() else []


def left_behind(place: Path) -> list[psutil.Process]:
    """Processes that still work in the project's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(place) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def settle(place: Path) -> None:
    """Wait until nobody works in the project any more."""
    until = time.monotonic() + PATIENCE
    while alive := left_behind(place):
        assert time.monotonic() < until, f"{alive} are still at work"
        time.sleep(0.05)


def rerun(place: Path, reference: Path, done: str) -> None:
    """A plain `conservatory run`, and until nobody works here any more; all must then be as in the reference."""
    again = project.run(place, *project.CLI, "run", *project.targets(reference), check=False)
    said = f"after {done}\n{again.stdout[-3000:]}\n{again.stderr[-3000:]}"
    assert again.returncode == 0, f"the next run failed {said}"
    settle(place)
    found = project.differences(place, reference)
    assert not found, f"{len(found)} differences, the first {found[:5]} {said}"
