"""A project of eight small stages, as real to DVC and Dagster as the large one, that runs in seconds."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from assets import repro
from assets.build import build

RECIPE = """
stages:
  raw:
    foreach: ${datasets}
    do:
      desc: Numbers, as published.
      meta: {group: music, kinds: [parquet], owner: "team:data", items: dataset, note: letters,
        checks: [schema, finite], warnings: [balance]}
      cmd: python pipelines/step.py raw ${key} data/raw/${key}
      params: ["datasets.${key}"]
      deps: [pipelines/step.py]
      outs: ["data/raw/${key}", "data/records/raw/${key}.json"]
  features:
    matrix: {dataset: "${datasets}", feature: "${features}"}
    desc: Each number in two ways.
    meta: {group: features, kinds: [numpy], owner: "team:features", checks: [finite]}
    cmd: python pipelines/step.py features ${item.dataset}-${item.feature} data/features/${item.dataset}/${item.feature}
    params: ["features.${item.feature}"]
    deps: [pipelines/step.py, "data/raw/${item.dataset}"]
    outs: ["data/features/${item.dataset}/${item.feature}", "data/records/features/${item.dataset}-${item.feature}.json"]
  train:
    foreach: ${taggers}
    do:
      desc: Learnt from one of the ways of the first dataset.
      meta: {group: models, items: tagger, trains: true}
      cmd: python pipelines/step.py train ${key} models/${key}
      params: ["taggers.${key}"]
      deps: [data/features/one/sum]
      outs: ["models/${key}"]
  report:
    desc: A page to look at.
    meta: {group: evaluation, kinds: [html], owner: "team:evaluation"}
    cmd: python pipelines/step.py report all reports/index.html
    deps: [data/features, models]
    outs: [reports/index.html]
"""
PARAMS = """\
datasets:
  one: {n: 3}
  two: {n: 4}
features:
  sum: {}
  product: {}
recipes:
  quick: {}
taggers:
  short: {recipe: quick}
"""
STEP = """
import json, sys
from pathlib import Path

import yaml

stage, key, out = sys.argv[1:]
datasets = yaml.safe_load(open("params.yaml"))["datasets"]
n = datasets.get(key.split("-")[0], {"n": 0})["n"]
print(f"{stage} {key}: 50%", end="\\r", file=sys.stderr)
print(f"{stage} {key}: 100%")
if n < 0:
    sys.exit(f"{key}: there is no file of {n} numbers")
Path(out).parent.mkdir(parents=True, exist_ok=True)
if stage == "raw":
    import pyarrow as pa
    import pyarrow.parquet as pq

    Path(out).mkdir(exist_ok=True)
    pq.write_table(pa.table({"x": list(range(n))}), Path(out) / "numbers.parquet")
elif stage == "train":
    Path(out).write_text(Path("data/features/one/sum").read_text())
elif stage == "report":
    files = [p for folder in ("data/features", "models") for p in sorted(Path(folder).rglob("*")) if p.is_file()]
    Path(out).write_text(" ".join(p.read_text() for p in files))
else:
    Path(out).write_text(f"{key} {n}")
record = Path("data/records") / stage / f"{key}.json"
if stage in ("raw", "features"):
    record.parent.mkdir(parents=True, exist_ok=True)
    table = {"rows": n, "columns": [{"name": "x", "type": "int64", "doc": "a number", "unit": "Hz"}]}
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    record.write_text(json.dumps({
        "stage": stage, "key": key,
        "figures": {"clips": n, "share": 0.5, "source": "made here", "whole": True},
        "table": table if stage == "raw" else None,
        "checks": {
            "finite": {"passed": True, "detail": "no NaN and no infinity"},
            "balance of style": {"passed": key != "two", "detail": f"{n} clips"},
        },
        "plots": {"curve": f"data:image/png;base64,{pixel}", "map": "<svg xmlns='http://www.w3.org/2000/svg'/>"},
        "note": "| a | b |\\n| --- | --- |\\n| 1 | 2 |",
    }))
"""


def create(folder: Path) -> Path:
    """The tiny project in a new folder, before its first run."""
    for path, text in {
        ".dvc/config": "[core]\n    no_scm = true\n    analytics = false\n",
        "dvc.yaml": RECIPE,
        "params.yaml": PARAMS,
        "pipelines/step.py": STEP,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def create_finished(folder: Path) -> Path:
    """The tiny project after a plain `dvc repro`, of which Dagster knows nothing."""
    return Path(shutil.copytree(_finished().name, folder, dirs_exist_ok=True))


@cache
def _finished() -> TemporaryDirectory:
    folder = TemporaryDirectory(prefix="tiny-project-")
    dvc_repro(create(Path(folder.name)))
    return folder


def dvc_repro(project: Path, *stages: str) -> None:
    command = [sys.executable, "-m", "dvc", "repro", "-q", *stages]
    subprocess.run(command, cwd=project, check=True, env=repro.environment(), capture_output=True)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@contextmanager
def dagster_home(project: Path):
    """Dagster as `conservatory ui` sets it up, with this project's dagster.yaml, in `project`/.dagster; can be entered again."""
    home = project / ".dagster"
    if not home.exists():
        shutil.copytree(_empty_home().name, home)
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        with _instance(home) as instance:
            yield instance
    finally:
        del os.environ["DAGSTER_HOME"]
        if before is not None:
            os.environ["DAGSTER_HOME"] = before


@cache
def _empty_home() -> TemporaryDirectory:
    """Dagster's databases before anything is in them, which take it most of a second to make."""
    home = TemporaryDirectory(prefix="dagster-home-")
    with _instance(Path(home.name)) as instance:
        instance.all_instigator_state()
        instance.get_event_records(dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION), limit=1)
    return home


def _instance(home: Path) -> dg.DagsterInstance:
    home.mkdir(exist_ok=True)
    settings = (Path(__file__).parents[2] / "dagster.yaml").read_text()
    # the server is started in the project's folder; a test is not
    (home / "dagster.yaml").write_text(settings.replace("base_dir: .dagster", f"base_dir: {home}"))
    return dg.DagsterInstance.from_config(str(home))


def run_job(project: Path, instance: dg.DagsterInstance, name: str):
    return build(project).resolve_job_def(name).execute_in_process(instance=instance, raise_on_error=False)


def materialize(project: Path, instance: dg.DagsterInstance, *names: str, keys: tuple[str, ...] = ()):
    """Materialize assets, and their checks, as the UI does: one partition of them, or a range from key to key."""
    job = build(project).resolve_implicit_global_asset_job_def()
    subset = job.get_subset(asset_selection={dg.AssetKey(name) for name in names})
    ends = {f"dagster/asset_partition_range_{end}": key for end, key in zip(("start", "end"), keys, strict=False)}
    return subset.execute_in_process(
        instance=instance,
        raise_on_error=False,
        partition_key=keys[0] if len(keys) == 1 else None,
        tags=ends if len(keys) == 2 else None,
    )


def events(result) -> dict[tuple[str, str | None], dg.AssetMaterialization]:
    """(asset, partition) -> what a run said of it; each is said once."""
    steps = [event for event in result.all_events if event.is_step_materialization]
    found = [event.step_materialization_data.materialization for event in steps]
    keys = [(event.asset_key.to_user_string(), event.partition) for event in found]
    assert len(keys) == len(set(keys))
    return dict(zip(keys, found, strict=True))


def stale(project: Path, instance: dg.DagsterInstance) -> dict[tuple[str, str | None], list[str]]:
    """(asset, partition) -> why the UI would mark it out of date; only those it would, and those that are missing."""
    from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
    from dagster._core.loader import LoadingContextForTest

    graph = build(project).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    found = {}
    for key in graph.get_all_asset_keys():
        keys = graph.get(key).partitions_def
        for partition in keys.get_partition_keys() if keys else [None]:
            if resolver.get_status(key, partition) != StaleStatus.FRESH:
                causes = resolver.get_stale_causes(key, partition)
                found[key.to_user_string(), partition] = [cause.reason for cause in causes] or ["missing"]
    return found
