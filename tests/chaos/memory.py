"""Memory that ends: a worker that the kernel kills, and a stage that may not have more."""

import random
import signal
from pathlib import Path

import psutil

from chaos import kills, project

LIMITS = (300, 600, 900, 1500)  # MB of address space


def one(seed: int, reference: Path, folder: Path) -> str:
    return (_worker if seed % 2 else _limit)(random.Random(seed), reference, folder)


def _worker(draw: random.Random, reference: Path, folder: Path) -> str:
    """Two workers on the clips; one of them is killed, as the kernel does it."""
    place = project.copy(reference, folder / "project")
    stage = draw.choice(["features@chords-log_mel", "audio@chords", "degrade@chords"])
    project.forget(place, stage, cold=True)
    executor = place / "pipelines/harness/executor.py"
    text = executor.read_text()
    executor.write_text(text.replace("FEW_S = 480", "FEW_S = 0  "))  # or this little music would have no workers
    process = kills.start(place, (*project.CLI, "run", "--force", stage))
    found: list[psutil.Process] = []

    def workers() -> bool:
        found[:] = [one for one in kills.family(process) if any("spawn_main" in word for word in kills.words(one))]
        return bool(found)

    kills.wait_for(workers, process)
    assert found, f"{stage} had no workers:\n{(place / 'said').read_text()[-2000:]}"
    draw.choice(found).send_signal(signal.SIGKILL)
    assert process.wait() != 0, f"{stage}: one of its workers was killed, and it ended well"
    said = (place / "said").read_text()
    assert "A worker process was killed" in said, f"{stage}, without a clear reason:\n{said[-3000:]}"
    executor.write_text(text)
    kills.rerun(place, reference, f"{stage}: a worker was killed")
    return f"{stage}: a worker was killed"


def _limit(draw: random.Random, reference: Path, folder: Path) -> str:
    """Every process of the run may have so much address space (RLIMIT_AS), which for some stages is too little."""
    place = project.copy(reference, folder / "project")
    stage, limit = draw.choice(kills.stages(reference)), draw.choice(LIMITS)
    project.forget(place, stage, cold=draw.random() < 0.5)
    limited = f'ulimit -v {limit * 1000}; exec "$@"'
    tried = project.run(place, "bash", "-c", limited, "bash", *project.CLI, "run", stage, check=False)
    done = f"{stage} with {limit} MB: {'enough' if tried.returncode == 0 else 'stopped'}"
    kills.rerun(place, reference, done)
    return done
