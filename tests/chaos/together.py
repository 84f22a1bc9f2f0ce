"""Two runs of one graph at once: `conservatory run` twice, or beside a plain `dvc repro`, or beside Dagster."""

import random
import sys
from pathlib import Path

from chaos import kills, project

DAGSTER = """
import sys
from pathlib import Path
import dagster as dg
from assets import materialize, partitions, recipe

groups = recipe.load(Path.cwd())
known = {stage.name: group for group in groups.values() for stage in group.stages}
with dg.DagsterInstance.ephemeral() as instance:
    for name in sorted(sys.argv[1:], key=list(known).index):
        group = known[name]
        key = next(partitions.key(group, stage) for stage in group.stages if stage.name == name)
        asset = materialize.definition(Path.cwd(), groups, group)
        assert dg.materialize([asset], partition_key=key, instance=instance).success
"""


def one(seed: int, reference: Path, folder: Path) -> str:
    draw, place = random.Random(seed), project.copy(reference, folder / "project")
    names = draw.sample(kills.stages(reference), 2)
    for name in names:
        project.forget(place, name, cold=False)
    others = {
        "conservatory run": (*project.CLI, "run"),
        "dvc repro": (*project.DVC, "--wait-for-lock", "repro"),
        "Dagster": (sys.executable, "-c", DAGSTER),
    }
    other = list(others)[seed % 3]
    commands = [(*project.CLI, "run", *names), (*others[other], *names)]
    processes = [kills.start(place, command) for command in (commands if draw.random() < 0.5 else commands[::-1])]
    done = f"conservatory run and {other}, {' '.join(names)}"
    ended = [(process.args, process.wait()) for process in processes]
    said = (place / "said").read_text()[-3000:]
    # a plain `dvc repro` may be told that files are in use
    assert not any(code for words, code in ended if "repro" not in words), f"{done}: {ended}\n{said}"
    kills.rerun(place, reference, done)
    return done
