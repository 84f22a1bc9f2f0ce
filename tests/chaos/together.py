"""Two runs of one graph at once: `conservatory run` twice, or beside a plain `dvc repro`."""

import random
from pathlib import Path

from chaos import kills, project


def one(seed: int, reference: Path, folder: Path) -> str:
    draw, place = random.Random(seed), project.copy(reference, folder / "project")
    names = draw.sample(kills.stages(reference), 2)
    for name in names:
        project.forget(place, name, cold=False)
    other = [(*project.CLI, "run"), (*project.DVC, "--wait-for-lock", "repro")][seed % 2]
    first = draw.random() < 0.5
    commands = [(*project.CLI, "run", *names), (*other, *names)]
    processes = [kills.start(place, command) for command in (commands if first else commands[::-1])]
    done = f"{' and '.join(' '.join(command[2:]) for command in commands)}"
    codes = [process.wait() for process in processes]
    ours = [code for code, process in zip(codes, processes, strict=True) if "pipelines.cli" in process.args]
    said = (place / "said").read_text()[-3000:]
    assert not any(ours), f"{done}: {codes}\n{said}"  # a plain `dvc repro` may be told that files are in use
    kills.rerun(place, reference, done, *names)
    return done
