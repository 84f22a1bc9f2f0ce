"""What does a wide recipe cost? Datasets x ten taggers and two baselines, every stage up to date (wide/project.py).

    python benchmarks/graph.py [--datasets 20] [--rounds 3] [--alone] [--json FILE]

| key | ours | the peer |
| --- | --- | --- |
| definitions | Dagster's definitions of the recipe, from nothing (`assets.build`) | DVC's index and graph of it |
| states | which stages are up to date (`pipelines.ops.dvc.freshness.states`) | `dvc status` |
| run | `conservatory run` with nothing to do | `dvc repro` |
| lock | one entry of dvc.lock changed (`pipelines.ops.dvc.lock`) | DVC's own writing of it |

Then one dataset is changed and `conservatory run` called: how many stages ran, and its seconds over those of a run that has
nothing to do.

Ratios of seconds, ours over the peer's: less is better. Each is measured in a process of its own, in turn, with imports and
Python's start; medians over the rounds. Beside them stand our own seconds, and milliseconds a stage. `--alone` leaves the
peers out, which for 200 datasets take most of an hour.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from figures import announce, show

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

INDEX = "from dvc.repo import Repo; Repo('.').index.graph"
SPLICE = """
from pathlib import Path
from pipelines.ops.patches.lockfile import splice
Path('copy.lock').write_text(splice(Path('copy.lock').read_text(), 'raw@scores', {'cmd': 'other'}))
"""
MODIFY = """
from dvc.utils.serialize import modify_yaml
with modify_yaml('copy.lock') as document:
    document['stages']['raw@scores'] = {'cmd': 'other'}
"""
TASKS = {
    "definitions": ("from pathlib import Path; from assets.build import build; build(Path('.').resolve())", INDEX),
    "states": ("from pipelines.ops.dvc.freshness import states; states()", ["dvc", "status", "-q"]),
    "run": (["pipelines.cli", "run"], ["dvc", "repro", "-q"]),
    "lock": (SPLICE, MODIFY),
}


def seconds(task: str | list[str], project: Path) -> float:
    """Wall time of some Python, or of a module with arguments, in the project."""
    command = [sys.executable, *(["-c", task] if isinstance(task, str) else ["-m", *task])]
    began = time.perf_counter()
    subprocess.run(command, cwd=project, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(n_datasets: int, rounds: int, alone: bool) -> Iterator[tuple[str, float]]:
    from benchmarks.wide.project import make

    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        n_stages = make(project, n_datasets)
        (project / "copy.lock").write_bytes((project / "dvc.lock").read_bytes())
        seconds(TASKS["states"][0], project)  # DVC has hashed each file once
        yield "stages", n_stages
        ours_s = {}
        for key, (ours, peer) in TASKS.items():
            pairs = [(seconds(ours, project), None if alone else seconds(peer, project)) for _ in range(rounds)]
            ours_s[key] = median(one for one, _ in pairs)
            yield f"{key}_s", ours_s[key]
            yield f"{key}_ms_a_stage", 1000 * ours_s[key] / n_stages
            if not alone:
                yield key, median(one / other for one, other in pairs)
        began = time.perf_counter()
        n_changed = changed(project, n_datasets)
        changed_s = time.perf_counter() - began
        yield "changed_stages", n_changed
        yield "changed_s", changed_s
        yield "changed_over_run", changed_s / ours_s["run"]


def changed(project: Path, n_datasets: int) -> int:
    """Change one dataset and run. Returns how many stages did."""
    import yaml

    written = yaml.safe_load((project / "params.yaml").read_text())
    written["datasets"][f"set_{n_datasets - 1:03}"]["seed"] += 1000
    (project / "params.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    command = [sys.executable, "-m", "pipelines.cli", "run"]
    done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    return int(re.search(r"(\d+) stages? ran", done.stdout)[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    announce("graph.py: speed over a wide recipe beside DVC", "6 minutes")
    show(main(arguments.datasets, arguments.rounds, arguments.alone), arguments.json)
