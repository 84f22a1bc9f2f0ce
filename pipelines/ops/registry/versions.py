"""A version of a model: its inputs according to a commit's dvc.lock, its scores there, and its card.

Everything is read from the commit in git and from DVC's cache, nothing from the working tree.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from voluptuous import ALLOW_EXTRA, Any, ExactSequence, Match, Optional, Schema

from pipelines import recipe
from pipelines.core import paths
from pipelines.core.files import atomic, write_json
from pipelines.ops.registrations import DROPPED
from pipelines.ops.registry import git, history, json_files, objects
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.runs import made_by

MODELS, RUNS = str(paths.trained()), str(paths.fitted())
SCORES, STUDY = str(paths.report("scores")), str(paths.report("study"))
NUMBER = Any(int, float)
MD5 = Match(r"[0-9a-f]{32}(\.dir)?\Z", "should be DVC's hash")
HASH = Any("", MD5, msg=MD5.msg)
RECORD = {
    "commit": json_files.COMMIT,
    "dataset": str,
    "tags": [str],
    "leave_out": Any(dict, None),
    "stage": str,
    "code": str,
    "params": dict,
    "metrics": {
        Optional(str): {
            "n": int,
            "value": NUMBER,
            "ci95": Any(None, ExactSequence([NUMBER, NUMBER]), msg="should be two numbers"),
        }
    },
}


def path(project: Path, name: str, version: int) -> Path:
    return project / history.FOLDER / name / f"{version}.json"


def load(project: Path, name: str, version: int) -> dict:
    """A version's record (see `describe`). `RegistryError` for an unknown version, with the known ones, or an invalid record."""
    known = history.stages(history.read(project, name))
    if not known:
        there = ", ".join(history.names(project)) or "none yet (conservatory models register)"
        raise RegistryError(f"no model {name!r} is registered; registered models: {there}")
    if version not in known:
        raise RegistryError(f"{name} has no version {version}; it has {', '.join(map(str, known))}")
    return _record(project, name, version)


def model_path(record: dict) -> str:
    """Where the project keeps the model of a version's record: a tagger, or a run of another task."""
    return f"{RUNS if record.get('task') else MODELS}/{record['name']}"


def _record(project: Path, name: str, version: int) -> dict:
    hashes = Any(*({f"{folder}/{name}": MD5, Optional(str): HASH} for folder in (MODELS, RUNS)))
    schema = Schema({"version": version, "name": name, **RECORD, "hashes": hashes}, required=True, extra=ALLOW_EXTRA)
    file = path(project, name, version)
    return json_files.read(
        file, schema, f"repair it, or restore it from git: git checkout HEAD -- {file.relative_to(project)}"
    )


def undropped(project: Path) -> Iterator[tuple[dict, str]]:
    """(record, stage) of every version that was not dropped."""
    for name in history.names(project):
        for version, stage in history.stages(history.read(project, name)).items():
            if stage != DROPPED:
                yield _record(project, name, version), stage


def register(project: Path, name: str, revision: str = "HEAD") -> tuple[int, bool]:
    """Register the model `name` of a commit as a challenger. Returns (version, is it new?); the same model with the same
    predictions is registered once. Call it inside `history.alone`.

    `RegistryError` if the commit has no such model, or its files are missing.
    """
    record = describe(project, name, revision)
    events = history.read(project, name)
    for version, stage in history.stages(events).items():
        if stage == DROPPED:
            continue
        known = load(project, name, version)["hashes"]
        if all(known.get(out) == record["hashes"][out] for out in (model_path(record), _predictions(record))):
            return version, False
    version = max(history.stages(events), default=0) + 1
    with atomic(path(project, name, version).with_suffix(".md")) as temporary:
        if not _card(project, record, temporary):
            temporary.write_text(
                f"# {name}\n\nconservatory trace {model_path(record)} --rev {record['commit']} --card FILE\n"
            )
    write_json(path(project, name, version), {"version": version, **record})
    history.append(project, name, "registered", version, f"from commit {record['commit'][:12]}")
    return version, True


def _card(project: Path, record: dict, to: Path) -> bool:
    """Write the model's card, with licences, metrics and lineage. Returns False if that fails."""
    trace = ["trace", model_path(record), "--rev", record["commit"], "--card", str(to.absolute())]
    # a separate process: lineage reads the project in the current folder
    done = subprocess.run([sys.executable, "-m", "pipelines.cli", *trace], cwd=project, capture_output=True)
    return done.returncode == 0


def _predictions(record: dict) -> str:
    if record.get("task"):
        return str(paths.scores(record["name"]))
    return str(paths.predictions(record["dataset"], record["name"]))


def describe(project: Path, name: str, revision: str) -> dict:
    """The record of a model in a commit: name, commit, dataset, tags, leave_out, code (of its training stage), params (the
    same), hashes (path -> DVC's hash of the model, its predictions and embeddings, and of all their inputs), metrics, and
    runs (that made those, as far as known here: `made_by.of`)."""
    commit = git.commit_id(project, revision)
    try:
        stages = recipe.parse_lock(git.show(project, commit, "dvc.lock") or "")
    except yaml.YAMLError as error:
        raise RegistryError(f"dvc.lock of {commit[:12]} cannot be read: {' '.join(str(error).split())}") from error
    graph = recipe.Graph(stages)
    if f"{RUNS}/{name}" in graph.maker:
        return _described_run(project, name, commit, stages)
    model = f"{MODELS}/{name}"
    trained = recipe.origin(model, stages)
    if trained is None:
        known = sorted(out.split("/")[-1] for out in graph.maker if out.startswith((f"{MODELS}/", f"{RUNS}/")))
        raise RegistryError(
            f"dvc.lock of commit {commit[:12]} has no {model}; it has {', '.join(known) or 'no model'}. Train it "
            "(conservatory run) and commit dvc.lock first"
        )
    config = json.loads(objects.file(project, {model: trained["data"]}, f"{model}/config.json").read_bytes())
    if "dataset" not in config:
        raise RegistryError(
            f"{name} has published weights and was not trained here: it cannot be retrained and compared"
        )
    scored = [str(path(config["dataset"], name)) for path in (paths.predictions, paths.embeddings)]
    if missing := [file for file in scored if file not in graph.maker]:
        raise RegistryError(
            f"dvc.lock of commit {commit[:12]} has no {missing[0]}: conservatory run, then commit dvc.lock"
        )
    needed = [model, *scored, str(paths.features(config["dataset"], "pooled"))]
    return {
        "name": name,
        "commit": commit,
        "dataset": config["dataset"],
        "tags": config["tags"],
        "leave_out": config.get("training", {}).get("leave_out", {}),
        "metrics": _metrics(project, commit, graph, config["dataset"], name),
        **_made(project, stages, trained, needed),
    }


def _described_run(project: Path, name: str, commit: str, stages: dict[str, dict]) -> dict:
    """The same of a run; `task` is its family, and it has no tags."""
    graph, model, scored = recipe.Graph(stages), f"{RUNS}/{name}", str(paths.scores(name))
    if scored not in graph.maker:
        raise RegistryError(f"dvc.lock of commit {commit[:12]} has no {scored}: conservatory run, then commit dvc.lock")
    fitted = recipe.origin(model, stages)
    config = json.loads(objects.file(project, {model: fitted["data"]}, f"{model}/config.json").read_bytes())
    return {
        "name": name,
        "commit": commit,
        "task": config["task"],
        "dataset": config["dataset"],
        "tags": [],
        "leave_out": {},
        "metrics": {
            metric: {"n": found["n"], "value": found["value"], "ci95": found["ci95"]}
            for metric, found in _report(project, commit, graph, SCORES, model)
            .get(config["task"], {})
            .get(name, {})
            .items()
            if found["value"] is not None
        },
        **_made(project, stages, fitted, [model, scored]),
    }


def _made(project: Path, stages: dict[str, dict], origin: dict, outputs: list[str]) -> dict:
    """Where a model comes from (`recipe.origin`): stage, code, params, and hashes and runs of `outputs` and all their inputs."""
    made = {key: origin[key] for key in ("stage", "code", "params")}
    return made | {"hashes": lineage(stages, outputs), "runs": _runs(project, stages, outputs)}


def export(project: Path, record: dict, to: Path) -> None:
    """Copy a version's model into the new folder `to`. `RegistryError` if that exists, or files are missing."""
    if to.exists():
        raise RegistryError(f"{to} exists already; name a new folder")
    model = model_path(record)
    found = objects.listing(project, record["hashes"][model], model)
    sources = {inside: objects.find(project, md5, f"{model}/{inside}") for inside, md5 in found.items()}
    for inside, source in sources.items():
        with atomic(to / inside) as temporary:
            shutil.copyfile(source, temporary)


def lineage(stages: dict[str, dict], paths: list[str]) -> dict[str, str]:
    """Path -> hash of the outputs `paths`, and of every output and data file upstream, sorted."""
    graph, found = recipe.Graph(stages), {}
    names = graph.upstream(graph.maker[path] for path in paths if path in graph.maker)
    for name in names:
        found |= {dep["path"]: dep.get("md5", "") for dep in graph.inputs(name)}
    for name in names:
        found |= {out["path"]: out["md5"] for out in stages[name]["outs"]}
    return dict(sorted(found.items()))


def _runs(project: Path, stages: dict[str, dict], paths: list[str]) -> dict[str, dict]:
    """The known runs that made the outputs `paths` and all outputs before them (`made_by.of`)."""
    graph = recipe.Graph(stages)
    names = graph.upstream(graph.maker[path] for path in paths if path in graph.maker)
    return made_by.of(project, {name: stages[name] for name in names})


def _metrics(project: Path, commit: str, graph: recipe.Graph, dataset: str, name: str) -> dict[str, dict]:
    """Metric -> n, value, ci95, from the reports in the commit that were made from this model."""
    scores = _report(project, commit, graph, SCORES, f"{MODELS}/{name}").get("tagging", {}).get(name, {})
    found = {metric: {key: one[key] for key in ("n", "value", "ci95")} for metric, one in scores.items()}
    study = _report(project, commit, graph, STUDY, f"{MODELS}/{name}").get(dataset, {}).get("targets", {})
    for target, parts in study.items():
        for probe, records in parts.get("probes", {}).items():
            if name in records:
                value = records[name]
                found[f"{probe}_probe_{target}"] = {
                    "n": value["n"],
                    "value": value["accuracy"],
                    "ci95": value["accuracy_ci95"],
                }
    return found


def _report(project: Path, commit: str, graph: recipe.Graph, path: str, model: str) -> dict:
    """A report of a commit; empty if it has none, or if the figures are of another model: a retraining of some stages leaves the
    other reports of the commit it started from."""

    def listing(md5: str) -> dict[str, str]:
        try:
            return objects.listing(project, md5, path)
        except RegistryError:
            return {}  # it cannot be checked

    text = git.show(project, commit, path)
    if text is None or not graph.made_from(path, model, listing):
        return {}
    locked = recipe.data_version(graph.stages[graph.maker[path]], path)
    return json.loads(text) if hashlib.md5(text.encode()).hexdigest() == locked else {}
