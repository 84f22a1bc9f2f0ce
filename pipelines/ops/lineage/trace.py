"""Trace a result to raw bytes, parameters and code, as one value for JSON, from which text, page and exports are made."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines import recipe
from pipelines.core import paths
from pipelines.ops.lineage import clips, figures, runs, targets
from pipelines.ops.lineage.revision import LOCK, Revision, git
from pipelines.ops.runs import made_by

CHANGED = ("pipelines", "params.yaml", "dvc.yaml", "dvc.lock", "constraints.txt", "reports")


def trace(revision: Revision, asked: str) -> dict[str, Any]:
    """`{"target", "revision", "roots", "stages", "sources", "environment", "environments"}`.

    target: as `targets.find` gives it, and `md5`. revision: `name`, `commit`, `date`, `changed` (files that differ from the
    commit). roots: the stages that made the target. stages: name -> `command`, `code_version`, `parameters`, `inputs` (`path`,
    `md5`, `made_by`: stages, `now`: their hash of it if they have made it again since, else None, `followed`),
    `outputs` (`path`, `md5`, `bytes`, `files`), `code` (`path`, `md5`, `in_commit`), `run` (as `runs.recorded` gives it; None
    with `cut_off` true where a shallow clone's history ends before it, and then neither `in_commit` nor `environment` is known),
    `environment` (sha256 of the pins as of that commit, None where there were none), `ran` (the run that made it) and `again`
    (those that came to the same later), as `made.by` has them, None where that is not known here, `figures`; in the order of
    the work. sources: dataset -> its clips, each with hash, source and licence. environment: the pins as of the revision,
    `file`, `sha256`, `packages`; environments: sha256 -> the same of those that stages were recorded under. An input that is
    not followed was read by the stage, but the figure was found to be copied from another.

    All inputs of a stage are listed, so a trace may name more than a figure needed, never less. Raises `LineageError`.
    """
    target = targets.find(revision, asked)
    roots, only = _roots(revision, target)
    names = _reached(revision, roots, only)
    recorded, ran = runs.recorded(revision, names), made_by.known()
    boundaries = runs.boundaries()
    cut = {name for name, run in recorded.items() if run and run["commit"] in boundaries}
    locked = runs.environments(revision, {name: run for name, run in recorded.items() if name not in cut})
    stages = {
        name: _stage(revision, name, recorded[name], name in cut, ran, only)
        | {"environment": None if name in cut else locked[name]["sha256"]}
        for name in names
    }
    return {
        "target": target | {"md5": _hash(revision, target)} | _in_git(revision, target),
        "revision": {
            "name": str(revision),
            "commit": revision.commit,
            "date": _date(revision),
            "changed": _changed(revision),
        },
        "roots": roots,
        "stages": stages,
        "sources": {name: _source(revision, name) for name in _datasets(stages)},
        "environment": runs.environment(revision),
        "environments": {pins["sha256"]: pins for pins in locked.values() if pins["sha256"]},
    }


def tree(found: dict) -> list[dict]:
    """The trace as a tree, a node for each root: `{"path", "md5", "now", "stage", "seen", "made_from": [node, ...]}`. The
    inputs of a stage are below its first node; later nodes are `seen`. `stage` is None if no stage made the file.

    md5 is the hash that was read. dvc.lock has only the last entry of the stage that made it: if that has other output since,
    `now` is its hash, and the nodes below are of the newer one."""
    stages, seen = found["stages"], set()

    def node(name: str, path: str, md5: str | None, now: str | None = None) -> dict:
        outs = {out["path"]: out["md5"] for out in stages[name]["outputs"]}
        if now is None and not any(
            path == out or path.startswith(out + "/") for out in outs
        ):  # a folder of several outputs
            path = next((out for out in outs if out.startswith(path + "/")), next(iter(outs)))
            md5 = outs[path]
        known, _ = name in seen, seen.add(name)
        followed = [] if known else [dep for dep in stages[name]["inputs"] if dep["followed"]]
        below = [
            node(maker, dep["path"], dep["md5"], dep["now"]) if maker else {**leaf, "path": dep["path"], "md5": dep["md5"]}
            for dep in followed for maker in dep["made_by"] or [None] if maker is None or maker in stages
        ]  # fmt: skip
        return {"path": path, "md5": md5, "now": now, "stage": name, "seen": known, "made_from": below}

    leaf = {"now": None, "stage": None, "seen": False, "made_from": []}
    return [node(name, found["target"]["path"], found["target"]["md5"]) for name in found["roots"]]


def outdated(found: dict) -> list[str]:
    """A sentence for each input in a trace that was made again since it was read, and a last one on what that means."""
    rows = [
        (name, dep)
        for name, stage in found["stages"].items()
        for dep in stage["inputs"]
        if dep["now"] and dep["followed"]
    ]
    said = [
        f"{name} read {since(dep['path'], dep['md5'], dep['now'], ' and '.join(dep['made_by']))}" for name, dep in rows
    ]
    return [*said, "Below these, the lineage is that of the newer bytes, not of the ones read."] if said else []


def since(path: str, md5: str | None, now: str, maker: str) -> str:
    return f"{path} {(md5 or '')[:8]}; {maker} has made {now[:8]} since"


def _roots(revision: Revision, target: dict) -> tuple[list[str], dict[str, str]]:
    """(stages that made the target, stage -> the one input of it to follow)."""
    graph = revision.graph
    if target["kind"] == "clip":
        return [
            graph.maker[out] for folder in (paths.RAW, paths.NOTES) for out in graph.outputs(folder + target["dataset"])
        ], {}
    if target["kind"] in ("code", "parameter"):
        return [], {}
    roots = list(dict.fromkeys(graph.maker[out] for out in graph.outputs(target["path"])))
    copied = target.get("from")
    return roots, {roots[0]: copied["path"]} if copied else {}


def _reached(revision: Revision, roots: list[str], only: dict[str, str]) -> list[str]:
    """The stages behind the roots, each after its inputs."""
    graph = revision.graph
    copied = [graph.maker[out] for path in only.values() for out in graph.outputs(path)]
    return list(dict.fromkeys([*graph.upstream(copied), *roots])) if only else graph.upstream(roots)


def _stage(
    revision: Revision, name: str, run: dict | None, cut_off: bool, ran: dict[str, dict], only: dict[str, str]
) -> dict:
    graph, entry = revision.graph, revision.graph.stages[name]
    inputs = []
    for dep in graph.inputs(name):
        outs = graph.outputs(dep["path"])
        followed = name not in only or any(out in graph.outputs(only[name]) for out in outs)
        makers = [stage for stage in dict.fromkeys(graph.maker[out] for out in outs) if stage != name]
        there = revision.made(dep["path"]) if makers else None
        now = there if there != dep.get("md5") else None
        inputs.append({"path": dep["path"], "md5": dep.get("md5"), "made_by": makers, "now": now, "followed": followed})
    first, again = made_by.by(ran.get(recipe.digest(entry)), run)  # in a shallow clone, at the latest this one
    values = {key: value for file in entry.get("params", {}).values() for key, value in file.items()}
    return {
        "command": recipe.command(entry),
        "code_version": recipe.code_version(entry),
        "parameters": values,
        "inputs": inputs,
        "outputs": [
            {"path": out["path"], "md5": out["md5"], "bytes": out.get("size"), "files": out.get("nfiles", 1)}
            for out in entry["outs"]
        ],
        "code": runs.code(entry, None if cut_off else (run or {}).get("commit") or revision.commit),
        "run": None if cut_off else run,
        "cut_off": cut_off,
        "ran": first,
        "again": again,
        "figures": _figures(revision, entry),
    }


def _figures(revision: Revision, entry: dict) -> dict[str, int | float | str]:
    """The numbers and words among the figures of a stage's record, if that is available."""
    for out in entry["outs"]:
        if out["path"].startswith(paths.RECORDS) and (text := revision.data(out["path"])):
            found = json.loads(text).get("figures", {}).items()
            return {key: value for key, value in found if isinstance(value, int | float | str)}
    return {}


def _in_git(revision: Revision, target: dict) -> dict:
    """Of a file in git `commit`, the last one that changed it, as `runs.commits` has them; of a parameter the last in which its
    value changed, and `value`. `cut_off`: it is not known, since a shallow clone's history ends before it."""
    if target["kind"] == "code":
        found, more = next(runs.commits(revision, target["path"], "-1"), None), {}
    elif target["kind"] == "parameter":
        value = figures.lookup(revision.settings, target["key"])[1]
        found, more = runs.brought(revision, target["path"], target["key"], value), {"value": value}
    else:
        return {}
    cut_off = bool(found) and found["commit"] in runs.boundaries()
    return {"commit": None if cut_off else found, "cut_off": cut_off, **more}


def _hash(revision: Revision, target: dict) -> str | None:
    if target["kind"] == "code" and revision.read(target["path"]) is None:
        return runs.code_folder(revision, target["path"])
    if target["kind"] in ("code", "parameter"):
        return hashlib.md5(revision.read(target["path"]) or b"").hexdigest()
    return revision.hash(target["path"])


def _datasets(stages: dict[str, dict]) -> list[str]:
    """The datasets whose raw music, and the corpora whose notes the trace leads to."""
    outs = [out["path"] for stage in stages.values() for out in stage["outputs"]]
    return [path[len(folder) :] for folder in (paths.RAW, paths.NOTES) for path in outs if path.startswith(folder)]


def _source(revision: Revision, dataset: str) -> dict:
    """`{"manifest", "clips", "bytes", "licences", "quarantined", "files"}`; files is None where the manifest's bytes are at no
    hand (`dvc pull` brings them)."""
    path = clips.manifests(revision).get(dataset)
    table = clips.read(revision, dataset) if path else None
    if table is None:
        return {"manifest": path, "md5": path and revision.hash(path), "files": None}
    refused = clips.read(revision, dataset, ".quarantine")
    return {
        "manifest": path,
        "md5": revision.hash(path),
        "clips": len(table),
        "bytes": int(table["n_bytes"].sum()),
        "licences": clips.licences(table),
        "quarantined": None if refused is None else len(refused),
        "files": table[["clip_id", "path", "split", "sha256", "source", "licence"]].to_dict("records"),
    }


def _changed(revision: Revision) -> list[str]:
    """Files of the working tree that differ from its commit."""
    if revision.name:
        return []
    found = git("status", "--porcelain", "--untracked-files=all", "-z", "--", *CHANGED) or ""
    prefix = (git("rev-parse", "--show-prefix") or "").rstrip(
        "\n"
    )  # paths are the repository's, of which this may be a folder
    return sorted(line[3:].removeprefix(prefix) for line in found.split("\0") if line[2:3] == " ")


def _date(revision: Revision) -> str:
    """When the revision was made: of its commit, or outside git of dvc.lock; ISO 8601."""
    found = git("show", "-s", "--format=%aI", revision.commit) if revision.commit else None
    return (found or datetime.fromtimestamp(Path(LOCK).stat().st_mtime, UTC).isoformat(timespec="seconds")).strip()
