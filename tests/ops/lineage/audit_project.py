"""A small project for the audit: real git and DVC, two datasets (one made by a stage, one a user's folder), a model, figures.

Its history has two results: the second with another `export.tolerance`. It runs in seconds, and was run once.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

RECIPE = """
stages:
  raw:
    foreach: ${datasets}
    do:
      cmd: python pipelines/step.py raw ${key}
      params: ["datasets.${key}"]
      deps: [pipelines/step.py]
      outs: ["data/raw/${key}", "data/records/raw/${key}.json"]
  manifest:
    foreach: ${datasets}
    do:
      cmd: python pipelines/step.py manifest ${key}
      params: ["datasets.${key}", withdrawn]
      deps: [pipelines/step.py, "data/raw/${key}"]
      outs: ["data/manifests/${key}.parquet", "data/manifests/${key}.quarantine.parquet"]
  audio:
    foreach: ${datasets}
    do:
      cmd: python pipelines/step.py audio ${key}
      deps: [pipelines/step.py, "data/manifests/${key}.parquet", "data/raw/${key}"]
      outs: ["data/audio/${key}"]
  features:
    matrix: {dataset: "${datasets}", feature: [sum]}
    cmd: python pipelines/step.py features ${item.dataset}
    deps: [pipelines/step.py, "data/audio/${item.dataset}"]
    outs: ["data/features/${item.dataset}/${item.feature}"]
  train:
    foreach: ${taggers}
    do:
      cmd: python pipelines/step.py train ${key}
      params: ["taggers.${key}", training, export]
      deps:
        - pipelines/kit
        - pipelines/step.py
        - data/features/${training.dataset}/sum
        - data/manifests/${training.dataset}.parquet
      outs: ["models/tagging/${key}"]
  embed:
    matrix: {dataset: "${datasets}", tagger: "${taggers}"}
    cmd: python pipelines/step.py embed ${item.dataset} ${item.tagger}
    deps: [pipelines/step.py, "data/features/${item.dataset}/sum", "models/tagging/${item.tagger}"]
    outs: ["data/embeddings/${item.dataset}/${item.tagger}.json"]
  cluster:
    foreach: ${datasets}
    do:
      cmd: python pipelines/step.py cluster ${key}
      deps: [pipelines/step.py, "data/embeddings/${key}"]
      outs: ["data/clusters/${key}"]
  metrics:
    cmd: python pipelines/step.py metrics
    params: [datasets]
    deps: [pipelines/step.py, data/clusters]
    outs: [{reports/clustering.json: {cache: false}}]
  report:
    cmd: python pipelines/step.py report
    deps: [pipelines/step.py, reports/clustering.json, data/audio]
    outs: [reports/index.html]
"""
PARAMS = """# numbers
withdrawn: {}

datasets:
  one: {n: 6}
  two: {path: music}
recipes:
  modern: {}
taggers:
  short: {recipe: modern}
training:
  dataset: one
  leave_out: {style: [odd]}
export:
  tolerance: 1.0e-05   # a small one
"""
STEP = """
import hashlib, json, sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

stage, *keys = sys.argv[1:]
key = keys[0] if keys else ""
settings = yaml.safe_load(open("params.yaml"))


def write(path, value):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(value))


def table(path, rows, columns):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({name: pa.array([row[name] for row in rows], type) for name, type in columns.items()}), path)


def rows(path):
    return pq.read_table(path).to_pylist()


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


if stage == "raw":
    folder = Path("data/raw") / key
    folder.mkdir(parents=True)
    if "n" in settings["datasets"][key]:
        for n in range(settings["datasets"][key]["n"]):
            (folder / f"{n}.wav").write_text(f"sound {n}")
    else:
        write(folder / "files.json", sorted(str(path) for path in Path(settings["datasets"][key]["path"]).iterdir()))
    write(f"data/records/raw/{key}.json", {"figures": {"built by": "step.py"}, "checks": {}})
elif stage == "manifest":
    folder = Path("data/raw") / key
    listed = folder / "files.json"
    files = json.loads(listed.read_text()) if listed.exists() else sorted(map(str, folder.iterdir()))
    found = []
    for n, path in enumerate(files):
        content, split = sha(path), ("train", "validation", "test")[n % 3]
        found.append({
            "clip_id": content[:16], "path": path, "title": f"song <{n}> of {key}", "tags": [], "split": split,
            "group": f"work{n // 2}", "sha256": content, "n_bytes": len(Path(path).read_bytes()),
            "source": "the <b>test</b>", "licence": "CC0", "target_style": "odd" if n == 3 else "even",
        })
    out = [row for row in found if row["sha256"] in settings["withdrawn"]]
    text = pa.string()
    names = ["clip_id", "path", "title", "split", "group", "sha256", "source", "licence", "target_style"]
    columns = dict.fromkeys(names, text) | {"tags": pa.list_(text), "n_bytes": pa.int64()}
    table(f"data/manifests/{key}.parquet", [row for row in found if row not in out], columns)
    table(f"data/manifests/{key}.quarantine.parquet", out, {"path": text})
elif stage == "audio":
    listed = rows(f"data/manifests/{key}.parquet")
    heard = [{"clip_id": row["clip_id"], "shard": n % 2} for n, row in enumerate(listed)]
    table(f"data/audio/{key}/index.parquet", heard, {"clip_id": pa.string(), "shard": pa.int32()})
    for shard in (0, 1):
        sound = "".join(Path(row["path"]).read_text() for n, row in enumerate(listed) if n % 2 == shard)
        (Path("data/audio") / key / f"shard-{shard:05d}.npy").write_text(sound)
elif stage == "features":
    folder = Path("data/audio") / key
    write(f"data/features/{key}/sum", [sha(path) for path in sorted(folder.glob("*.npy"))])
elif stage == "train":
    heard = Path(f"data/features/{settings['training']['dataset']}/sum").read_text()
    number = int(hashlib.sha256((heard + str(float(settings["export"]["tolerance"]))).encode()).hexdigest()[:4], 16)
    write(f"models/tagging/{key}/weights.json", number)
    Path(f"models/tagging/{key}/README.md").write_text(f"# {key}\\n\\nA tagger.\\n")
elif stage == "embed":
    number = json.loads(Path(f"models/tagging/{keys[1]}/weights.json").read_text())
    write(f"data/embeddings/{key}/{keys[1]}.json", [number, sha(f"data/features/{key}/sum")])
elif stage == "cluster":
    found = {path.stem: json.loads(path.read_text()) for path in Path(f"data/embeddings/{key}").iterdir()}
    scores = {name: {"accuracy": value[0] / 65536 + int(value[1][:4], 16), "ci95": [0, 1], "n": 6, "by": {"a.b": 2}}
              for name, value in found.items()}
    write(f"data/clusters/{key}/scores.json", {"style": scores})
elif stage == "metrics":
    write("reports/clustering.json", {
        name: json.loads(Path(f"data/clusters/{name}/scores.json").read_text()) for name in settings["datasets"]})
elif stage == "report":
    heard = [path.read_text() for path in sorted(Path("data/audio").glob("*/shard-*"))]
    Path("reports/index.html").write_text(Path("reports/clustering.json").read_text() + "".join(heard))
"""
FILES = {
    ".dvc/config": "[core]\n    analytics = false\n",
    ".dvc/.gitignore": "/tmp\n/cache\n/config.local\n",
    ".dvcignore": "__pycache__\n",
    ".gitignore": "/data/\n/models/\n/music/\n/reports/index.html\n/.cache/\n__pycache__\n",
    "dvc.yaml": RECIPE,
    "params.yaml": PARAMS,
    "pipelines/step.py": STEP,
    "pipelines/kit/one.py": "first = 1\n",
    "pipelines/kit/two.py": "second = 2\n",
    "constraints.txt": "# pins\nnumpy==2.0.0\npytest==8.0.0\nnot-installed==1\n",
    "music/x.wav": "sound x",
    "music/y.wav": "sound 1",  # the bytes of a clip of the other dataset
}


def create(folder: Path) -> Path:
    """A copy of the project after its two results: tags `first` and `second`."""
    return Path(shutil.copytree(_finished().name, folder, dirs_exist_ok=True))


@cache
def _finished() -> TemporaryDirectory:
    kept = TemporaryDirectory(prefix="audit-project-")
    folder = Path(kept.name)
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "init", "-q", "-b", "main")
    repro(folder)
    commit(folder, "The first result", "2026-01-01T10:00:00+00:00")
    git(folder, "tag", "first")
    edit(folder / "params.yaml", "1.0e-05", "2.0e-05")
    repro(folder)
    commit(folder, "The second result", "2026-01-02T10:00:00+00:00")
    git(folder, "tag", "second")
    return kept


def repro(folder: Path, *targets: str) -> list[str]:
    """`dvc repro`; returns the stages that ran."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", "repro", *targets]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage ")]


def commit(folder: Path, message: str, date: str = "2026-01-03T10:00:00+00:00") -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
    return git(folder, "rev-parse", "HEAD")


def git(folder: Path, *arguments: str, **variables: str) -> str:
    who = {
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "a@b.c",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "a@b.c",
    }
    command = ["git", "-c", "commit.gpgsign=false", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **who, **variables}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.unlink()  # it may be a link into DVC's cache
    path.write_text(text.replace(old, new))
