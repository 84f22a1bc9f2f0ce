"""A clock that jumps: a run an hour, or a year, before or after the files it reads (libfaketime)."""

import random
import shutil
from pathlib import Path

from chaos import kills, project

JUMPS = ("-1y", "-1h", "+1h", "+1y")


def possible() -> bool:
    return shutil.which("faketime") is not None


def one(seed: int, reference: Path, folder: Path) -> str:
    """A stale stage is run under another time, and killed there or not; then time is what it was."""
    draw = random.Random(seed)
    jump, stage = JUMPS[seed % len(JUMPS)], draw.choice(kills.stages(reference))
    place = project.copy(reference, folder / "project")
    project.forget(place, stage, cold=draw.random() < 0.5)
    jumped = ("faketime", "-f", jump, *project.CLI, "run", stage)
    killed = draw.random() < 0.5
    done = f"{stage}, {jump}, {'killed' if killed else 'to the end'}"
    if killed:
        process = kills.start(place, jumped)
        kills.strike(process, stage, "all", "during", draw.random(), 9)
        process.wait()
    else:
        tried = project.run(place, *jumped, check=False)
        assert tried.returncode == 0, f"{done}: it failed\n{tried.stdout[-2000:]}\n{tried.stderr[-3000:]}"
    kills.rerun(place, reference, done)
    return done
