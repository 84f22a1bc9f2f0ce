"""A project with the real recipe and very many items, whose stages only copy digests about.

Its graph, parameters, dependencies and lock are those of dvc.yaml; only the commands are others, so that all of its thousands of
stages can be up to date without a day of computing. Their output follows from the data they read, as that of real stages does.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from pipelines import recipe
from pipelines.ops.patches import resolver

PROJECT = Path(__file__).parents[2]
COMMAND = "sh stage.sh"
STAGE = """\
# WORD... -- DATA... -- OUT...: a digest of words and data, written to each output
words= data=
while [ "$1" != -- ]; do words="$words $1"; shift; done; shift
while [ "$1" != -- ]; do data="$data $1"; shift; done; shift
said=$( { echo "$words"; [ -z "$data" ] || find $data -type f | LC_ALL=C sort | xargs cat; } | md5sum)
for out; do
  case $out in
  *.json) mkdir -p "$(dirname "$out")"
    echo "{\\"figures\\": {}, \\"table\\": null, \\"checks\\": {}, \\"said\\": \\"$said\\"}" > "$out" ;;
  *.*) mkdir -p "$(dirname "$out")"; echo "$said" > "$out" ;;
  *) mkdir -p "$out"; echo "$said" > "$out/index.parquet" ;;
  esac
done
"""


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data) -> bool:
        return True


def make(to: Path, n_datasets: int, n_taggers: int = 10) -> int:
    """Lay the project out in `to`: `n_taggers` of ten taggers, two baselines, and `n_datasets` datasets. Returns the number of
    stages, all of which are up to date."""
    to.mkdir(parents=True)
    for name in ("pipelines", "assets"):
        shutil.copytree(PROJECT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dagster.yaml", "workspace.yaml", ".dvcignore"):
        shutil.copy(PROJECT / name, to / name)
    (to / "stage.sh").write_text(STAGE)
    (to / "params.yaml").write_text(yaml.safe_dump(_params(n_datasets, n_taggers), sort_keys=False))
    written = yaml.safe_load((PROJECT / "dvc.yaml").read_text())
    for name, stage in written["stages"].items():
        body = stage.get("do", stage)
        body["cmd"] = _command(name, body)
    (to / "dvc.yaml").write_text(yaml.safe_dump(written, sort_keys=False, width=1000))
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=to, check=True)
    stages = resolved(to)
    _run(to, stages)
    (to / "dvc.lock").write_text(yaml.dump(_lock(to, stages), Dumper=_Dumper, sort_keys=False))
    return len(stages)


def resolved(project: Path) -> dict[str, dict]:
    """Stage -> its entry in dvc.yaml with names filled in, each after what it needs."""
    return resolver.stages(project)


def _params(n_datasets: int, n_taggers: int) -> dict:
    params = yaml.safe_load((PROJECT / "params.yaml").read_text())
    scores = params["datasets"]["scores"]
    params["datasets"] = {"scores": scores} | {f"set_{n:03}": {**scores, "seed": n} for n in range(1, n_datasets)}
    entry = params["taggers"]["short"]
    reads = dict.fromkeys(("attention", "short", "short_res"), "log_mel")
    reads |= dict.fromkeys(("fcn", "musicnn", "crnn", "hcnn", "sample", "se"), "waveform")
    params["taggers"] = {name: entry | {"network": name, "reads": what} for name, what in reads.items()}
    weights = {"path": "/weights.pth", "sha256": "0" * 64, "tags": "jamendo", "source": "elsewhere", "licence": "MIT"}
    published = {"network": "musicnn", "reads": "waveform", "recipe": "weights", "weights": weights}
    params["taggers"]["musicnn_published"] = published
    params["taggers"] = dict(list(params["taggers"].items())[:n_taggers])
    return params


def _command(name: str, stage: Mapping) -> str:
    data = [dep for dep in stage["deps"] if not dep.startswith(("pipelines/", "${"))]
    words = ["${item.seed}"] if name == "raw" else []
    outs = recipe.paths(stage, *recipe.OUTS)
    return " ".join([COMMAND, name, *words, "--", *data, "--", *outs])


def _run(project: Path, stages: Mapping[str, Mapping]) -> None:
    """What `sh stage.sh` would do, in the order of the recipe, in one process."""
    script = "\n".join(f"( set -- {stage['cmd'].removeprefix(COMMAND)}; . ./stage.sh )" for stage in stages.values())
    subprocess.run(["sh"], input=script, text=True, cwd=project, check=True)


def _lock(project: Path, stages: Mapping[str, Mapping]) -> dict:
    params, known = yaml.safe_load((project / "params.yaml").read_text()), {}

    def files(names: Iterable[str], cache: Path | None = None) -> list[dict]:
        for name in (names := sorted(names)):
            if name not in known or cache:
                known[name] = {"path": name, **_hashed(project / name, cache)}
        return [dict(known[name]) for name in names]

    def value(key: str):
        found = params
        for part in key.split("."):
            found = found[part]
        return found

    def entry(stage: Mapping) -> dict:
        keys = stage.get("params", [])
        read = {key: value(key) for key in sorted(keys)} if all(isinstance(key, str) for key in keys) else dict(params)
        return {
            "cmd": stage["cmd"],
            "deps": files(recipe.paths(stage, "deps")),
            **({"params": {"params.yaml": read}} if read else {}),
            "outs": files(recipe.paths(stage, *recipe.OUTS), project / ".dvc/cache/files/md5"),
        }

    return {"schema": "2.0", "stages": {name: entry(stage) for name, stage in stages.items()}}


def _hashed(path: Path, cache: Path | None = None) -> dict:
    """A file's or folder's hash as DVC writes it down; with `cache`, what it needs is put there as DVC would."""
    if path.is_file():
        found = {"hash": "md5", "md5": hashlib.md5(path.read_bytes()).hexdigest(), "size": path.stat().st_size}
        _keep(cache, found["md5"], path.read_bytes())
        return found
    files = sorted(file for file in path.rglob("*") if file.is_file() and not _ignored(file))
    listed = [{"md5": _hashed(file, cache)["md5"], "relpath": file.relative_to(path).as_posix()} for file in files]
    listed.sort(key=lambda one: tuple(one["relpath"].split("/")))
    text = json.dumps(listed, sort_keys=True).encode()
    name = f"{hashlib.md5(text).hexdigest()}.dir"
    _keep(cache, name, text)
    return {"hash": "md5", "md5": name, "size": sum(file.stat().st_size for file in files), "nfiles": len(files)}


def _ignored(file: Path) -> bool:
    """Does .dvcignore leave it out of the hash of its folder?"""
    lines = (PROJECT / ".dvcignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    parts = [file, *file.parents]
    return any(part.match(pattern) for pattern in patterns for part in parts)


def _keep(cache: Path | None, name: str, content: bytes) -> None:
    if cache:
        (cache / name[:2]).mkdir(parents=True, exist_ok=True)
        (cache / name[:2] / name[2:]).write_bytes(content)
