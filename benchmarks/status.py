"""How long does it take to say which stages are up to date? Beside `dvc status` of the same project in the same run.

    python benchmarks/status.py [--datasets 200] [--features 10] [--rounds 3] [--json FILE]

A project is made for it and run once by hand (its outputs and its dvc.lock are written, nothing is computed): a `raw` stage
a dataset and a `features` stage a dataset and feature, each with a dozen files of code among its `deps`, as the stages here
have. Then both are asked, each in a process of its own, in turn; what each says must agree. The figures are wall time in
all, with Python's start and imports, the time a stage of `states` alone (in one process, where importing is paid), and the
ratio. DVC's database of hashes is warm in both.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import yaml

ROOT = Path(__file__).parents[1]
N_CODE = 12
ASK = """
import json, sys, time
sys.path.insert(0, {root!r})
from pipelines.status.stages import states
from dvc.repo import Repo
began = time.perf_counter()
found = states()
print(json.dumps([time.perf_counter() - began, len(found), sorted(n for n, s in found.items() if s.state != "fresh")]))
"""


def create(project: Path, n_datasets: int, n_features: int) -> int:
    """A project whose stages have all run, as DVC sees it. Returns how many there are."""
    code = [f"pipelines/code{number}.py" for number in range(N_CODE)]
    datasets = {f"d{number}": {"n": number} for number in range(n_datasets)}
    features = {f"f{number}": {"k": number} for number in range(n_features)}
    recipe = {
        "raw": {
            "foreach": "${datasets}",
            "do": {"cmd": "make ${key}", "params": ["datasets.${key}"], "deps": code, "outs": ["data/raw/${key}.txt"]},
        },
        "features": {
            "matrix": {"dataset": "${datasets}", "feature": "${features}"},
            "cmd": "make ${item.dataset} ${item.feature}",
            "params": ["features.${item.feature}"],
            "deps": [*code, "data/raw/${item.dataset}.txt"],
            "outs": ["data/features/${item.dataset}/${item.feature}.txt"],
        },
    }
    files = {
        ".dvc/config": "[core]\n    no_scm = true\n    analytics = false\n",
        "dvc.yaml": yaml.safe_dump({"stages": recipe}),
        "params.yaml": yaml.safe_dump({"datasets": datasets, "features": features}),
        **{path: f"# {path}\n" * 50 for path in code},
    }
    stages = {}
    for d in datasets:
        raw = f"data/raw/{d}.txt"
        files[raw] = f"{d}\n"
        stages[f"raw@{d}"] = (f"make {d}", {f"datasets.{d}": datasets[d]}, code, raw)
        for f in features:
            out = f"data/features/{d}/{f}.txt"
            files[out] = f"{d} {f}\n"
            stages[f"features@{d}-{f}"] = (f"make {d} {f}", {f"features.{f}": features[f]}, [*code, raw], out)
    for path, text in files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)

    def entry(path: str) -> dict:
        md5 = hashlib.md5(files[path].encode(), usedforsecurity=False).hexdigest()
        return {"path": path, "hash": "md5", "md5": md5, "size": len(files[path])}

    locked = {}
    for name, (command, params, deps, out) in stages.items():
        locked[name] = {"cmd": command, "deps": [entry(path) for path in deps]}
        locked[name] |= {"params": {"params.yaml": params}, "outs": [entry(out)]}
        kept = project / ".dvc/cache/files/md5" / entry(out)["md5"][:2] / entry(out)["md5"][2:]
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project / out, kept)
        kept.chmod(0o444)
    (project / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": locked}, sort_keys=False))
    return len(stages)


def asked(command: list[str], project: Path) -> tuple[float, str]:
    began = time.perf_counter()
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    out = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True, env=environment).stdout
    return time.perf_counter() - began, out


def main(n_datasets: int, n_features: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        n_stages = create(project, n_datasets, n_features)
        ours, theirs = (
            [sys.executable, "-c", ASK.format(root=str(ROOT))],
            [sys.executable, "-m", "dvc", "status", "--json"],
        )
        for change in (False, True):  # one dataset changed: both must name the same stages
            if change:
                (project / "data/raw/d0.txt").write_text("other\n")
            seconds, text = asked(ours, project)
            found = [name for name in json.loads(text)[2]]
            expected = sorted(json.loads(asked(theirs, project)[1]))
            if found != expected:
                raise SystemExit(f"we say {found[:5]}..., dvc status says {expected[:5]}...")
        times = {"ours": [], "alone": [], "dvc": []}
        for _ in range(rounds):
            seconds, text = asked(ours, project)
            times["ours"].append(seconds)
            times["alone"].append(json.loads(text)[0])
            times["dvc"].append(asked(theirs, project)[0])
    middle = {name: median(values) for name, values in times.items()}
    return {
        "stages": n_stages,
        "conservatory_s": middle["ours"],
        "dvc_status_s": middle["dvc"],
        "ratio": middle["dvc"] / middle["ours"],
        "ms_a_stage": 1000 * middle["alone"] / n_stages,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    figures = main(arguments.datasets, arguments.features, arguments.rounds)
    print(
        f"{figures['stages']} stages: {figures['conservatory_s']:.2f} s, dvc status {figures['dvc_status_s']:.2f} s, "
        f"{figures['ratio']:.1f} times as fast; {figures['ms_a_stage']:.1f} ms a stage"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
