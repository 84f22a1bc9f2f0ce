"""A project under git that trains a "tagger" in a second: real schemas, predictions that params.yaml makes good or bad."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from helpers import PROJECT, run_in

from pipelines.ops.registry import retrain

COMMAND = ("-m", "pipelines.cli")
"""After `sys.executable`, which is looked up when a command is run: a conftest.py imports this before commands start warm."""
RECIPE = """
stages:
  manifest:
    matrix: {dataset: [music]}
    cmd: python steps.py manifest
    params: [datasets.music]
    deps: [steps.py]
    outs: [data/manifests/music.parquet, data/audio/music]
  features:
    matrix: {dataset: [music]}
    cmd: python steps.py features
    params: [datasets.music]
    deps: [steps.py, data/manifests/music.parquet]
    outs: [data/features/music/pooled]
  train:
    foreach: ${taggers}
    do:
      cmd: python steps.py train ${key}
      params: ["taggers.${key}", training]
      deps: [steps.py, data/manifests/music.parquet, data/features/music/pooled, data/audio/music/index.parquet]
      outs: ["models/tagging/${key}"]
  embed:
    foreach: ${taggers}
    do:
      cmd: python steps.py embed ${key}
      deps: [steps.py, data/manifests/music.parquet, "models/tagging/${key}"]
      outs: ["data/predictions/tagging/music/${key}.parquet", "data/embeddings/music/${key}.parquet"]
  tagging:
    cmd: python steps.py tagging
    params: [taggers]
    deps: [steps.py, data/manifests/music.parquet, data/predictions/tagging/music]
    outs: [{reports/scores.json: {cache: false}}]
"""
PARAMS = """
datasets:
  music: {works: 60, shift: 0.0, seed: 1}
taggers:
  short: {recipe: quick, skill: 2.0}
recipes:
  quick: {}
training: {dataset: music, leave_out: {}, seed: 1}
registry:
  margins: {roc_auc: 0.05, pr_auc: 0.1, probe: 0.3}
  probe: knn
  drift: {bins: 5, max_clips: 100, n_permutations: 50, seed: 1}
  n_bootstrap: 200
  seed: 1
"""
STEPS = """
import json, os, sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from pipelines.core.manifest import MANIFEST
from pipelines.metrics import tagging
from pipelines.core import embeddings, shards
from pipelines.core.files import write_json
from pipelines.core.tables import read_table, write_table
from pipelines.core.chunks import tag_matrix

stage, name = sys.argv[1], sys.argv[-1]
settings = yaml.safe_load(open("params.yaml"))
entry = settings["datasets"]["music"]
if stage == "manifest":
    rows = []
    for clip in range(2 * entry["works"]):
        work = clip // 2
        style = "ab"[work % 2]
        rows.append({
            "clip_id": f"{clip:016x}", "path": f"{clip}.wav", "title": str(clip),
            "tags": [f"style:{style}"] + (["mode:minor"] if work % 3 == 0 else []),
            "split": ("train", "test", "train", "validation", "test")[work % 5], "group": f"work{work}", "duplicate_of": None,
            "duration_s": 1.0, "sample_rate": 16000, "channels": 1, "n_bytes": 1, "sha256": f"{clip:064x}", "source": "made here",
            "licence": "CC0", "target_style": style,
        })
    frame = pd.DataFrame(rows)
    write_table(frame, "data/manifests/music.parquet", MANIFEST)
    n = len(frame)
    index = pd.DataFrame({"clip_id": frame["clip_id"], "shard": 0, "offset": np.arange(n), "length": 1})
    write_table(index, "data/audio/music/index.parquet", shards.INDEX)
    sys.exit()
manifest = read_table("data/manifests/music.parquet", MANIFEST)
# of the clip's number, so that a clip is the same clip in a larger dataset
noise = lambda seed, d: np.stack([np.random.default_rng([seed, int(c, 16)]).standard_normal(d) for c in manifest["clip_id"]])
if stage == "features":
    values = noise(entry["seed"], 3) + np.where(manifest["split"] == "train", entry["shift"], 0)[:, None]
    folder = Path("data/features/music/pooled")
    folder.mkdir(parents=True)
    pd.DataFrame(values, columns=["x", "y", "z"]).assign(clip_id=manifest["clip_id"]).to_parquet(folder / "pooled.parquet")
elif stage == "train":
    skill = settings["taggers"][name]["skill"]
    if "STOP_AT" in os.environ:  # two named pipes: say that training has begun, and wait until it may go on
        open(os.environ["STOP_AT"] + ".begun", "w").close()
        open(os.environ["STOP_AT"] + ".go").read()
    folder = Path("models/tagging") / name
    folder.mkdir(parents=True)
    tags = sorted({tag for tags in manifest["tags"] for tag in tags})
    training = settings["training"]
    write_json(folder / "config.json", {"name": name, "skill": skill, "seed": training["seed"], "tags": tags, "dataset": "music",
                                        "training": {"leave_out": training["leave_out"]}})
    (folder / "README.md").write_text(f"# {name}\\n\\nof skill {skill}\\n")
elif stage == "embed":
    config = json.loads((Path("models/tagging") / name / "config.json").read_text())
    truth = tag_matrix(manifest, config["tags"])
    scores = 1 / (1 + np.exp(-(config["skill"] * (truth - 0.5) + noise(config["seed"], truth.shape[1]))))
    vectors = config["skill"] * (truth - 0.5) + noise(config["seed"] + 1, truth.shape[1])
    ids = manifest["clip_id"].tolist()
    embeddings.write(f"data/embeddings/music/{name}.parquet", ids, vectors.astype(np.float32))
    table = pd.DataFrame({"clip_id": ids, "scores": list(scores.astype(np.float32))})
    write_table(table, f"data/predictions/tagging/music/{name}.parquet", embeddings.PREDICTIONS)
else:
    found = {}
    for name in settings["taggers"]:
        tags = json.loads((Path("models/tagging") / name / "config.json").read_text())["tags"]
        test = manifest[manifest["split"] == "test"]
        table = read_table(f"data/predictions/tagging/music/{name}.parquet", embeddings.PREDICTIONS).set_index("clip_id")
        scores = np.stack(table.loc[test["clip_id"], "scores"].to_list())
        record = tagging.evaluate(tag_matrix(test, tags), scores, tags, 50, 1)
        found[name] = {
            key: {"value": record[key], "ci95": record[f"{key}_ci95"], "n": record["n"]} for key in ("roc_auc", "pr_auc")
        }
    write_json("reports/scores.json", {"tagging": found})
"""


def create(folder: Path) -> Path:
    """The project in a new folder, under git and DVC, before its first run."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in {"dvc.yaml": RECIPE, "params.yaml": PARAMS, "steps.py": STEPS}.items():
        (folder / path).write_text(text.lstrip("\n"))
    for name in (".gitignore", ".dvcignore"):
        (folder / name).write_text((PROJECT / name).read_text())
    (folder / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        (folder / ".dvc" / name).write_text((PROJECT / ".dvc" / name).read_text())
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "A Tester")
    git(folder, "config", "user.email", "tester@example.org")
    commit(folder, "recipe")
    return folder


def finished(folder: Path) -> Path:
    """A copy of the project after its first run, committed. The run is made once a test process."""
    return Path(shutil.copytree(_finished().name, folder, symlinks=True, dirs_exist_ok=True))


def with_champion(folder: Path) -> Path:
    """A copy of the project whose model is registered, version 1, and the champion."""
    return Path(shutil.copytree(_with_champion().name, folder, symlinks=True, dirs_exist_ok=True))


@cache
def _finished() -> TemporaryDirectory:
    kept = TemporaryDirectory(prefix="small-models-")
    repro(create(Path(kept.name)))
    return kept


@cache
def _with_champion() -> TemporaryDirectory:
    kept = TemporaryDirectory(prefix="small-models-")
    project = finished(Path(kept.name))
    retrain.judge(project, ["short"], git(project, "rev-parse", "HEAD"), {}, "first", say=print)
    return kept


def git(folder: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str = "run") -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)
    return git(folder, "rev-parse", "HEAD")


def edit(folder: Path, old: str, new: str, file: str = "params.yaml") -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def repro(folder: Path) -> str:
    """`dvc repro`, committed. Returns the commit."""
    run_in(folder, sys.executable, "-m", "dvc", "repro", "-q", PYTHONPATH=str(PROJECT))
    return commit(folder)


def conservatory(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    return run_in(folder, sys.executable, *COMMAND, *arguments, check=check, PYTHONPATH=str(PROJECT))


def start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen:
    """The same command, at work."""
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(
        [sys.executable, *COMMAND, *arguments],
        cwd=folder,
        env=environment(**variables),
        stdout=pipe,
        stderr=both,
        text=True,
    )


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "DVC_NO_ANALYTICS": "1", **variables}


def options() -> dict:
    return yaml.safe_load(PARAMS)["registry"]
