"""Explain the difference between two results: changed inputs (music, parameters, code, recipe, environment), the stages that they
affect, and the figures that changed.

Causes are found stage by stage: a stage's own causes are differences of its direct inputs (parameters, code, command); it
inherits differences of the outputs it read. An output that differs without any such cause points at something that dvc.lock does
not record: the environment, or another machine."""

import json
from typing import Any

import pandas as pd

from pipelines import recipe
from pipelines.core import paths
from pipelines.ops.lineage import clips, figures, runs, targets
from pipelines.ops.lineage.revision import ENVIRONMENT, Revision, git

OUTSIDE = "environment"
PERHAPS = "perhaps the packages, which differ too"
UNRECORDED = "first difference without a recorded cause: "
GIVEN = ("pipelines", "params.yaml", "dvc.yaml", ENVIRONMENT)


def difference(before: Revision, after: Revision) -> dict[str, Any]:
    """`{"before", "after", "commits", "files", "environment", "music", "stages", "figures"}`.

    files: of code and settings, that differ, run or not. environment: package -> [version, version]. music: dataset ->
    `{"added", "removed", "changed"}` clips. stages: name -> `{"state", "causes": {parameters, code, command, inputs},
    "outputs", "own", "through", "because"}` of each that is new, gone or differs: `own` causes begin at it ("parameter k",
    "code file"), `through` are the stages whose outputs it read and that differ, `because` are all root causes.
    figures: file -> `{"numbers": [{"key", "before", "after"}], "same", "because"}`, largest change first; for a file that is not
    available `{"unknown", "because"}`. Raises `LineageError`.
    """
    first, second = before.graph, after.graph
    environments = runs.environment(before), runs.environment(after)
    stages = {
        name: _stage(first.stages.get(name), second.stages.get(name)) for name in {**first.stages, **second.stages}
    }
    changed_packages = _dicts(environments[0]["packages"], environments[1]["packages"])
    order = [
        *second.upstream(second.stages),
        *(name for name in first.upstream(first.stages) if name not in second.stages),
    ]
    because: dict[str, list[str]] = {}
    for name in order:
        graph, stage = second if name in second.stages else first, stages[name]
        through = [other for other in graph.needs(name) if stages[other]["outputs"]]
        inherited = [cause for other in through for cause in because[other]]
        own = _causes(name, stage, bool(changed_packages), bool(inherited))
        because[name] = list(dict.fromkeys([*own, *inherited])) if stage["state"] != "the same" else []
        stages[name] = stage | {"own": own, "through": through, "because": because[name]}
    return {
        "before": {"name": str(before), "commit": before.commit},
        "after": {"name": str(after), "commit": after.commit},
        "commits": _commits(before, after),
        "files": _files(before, after),
        "environment": changed_packages,
        "music": _music(before, after),
        "stages": {name: stages[name] for name in order if stages[name]["state"] != "the same"},
        "figures": _figures(before, after, because),
    }


def _stage(old: dict | None, new: dict | None) -> dict:
    """The differences between two entries of dvc.lock."""
    if old is None or new is None:
        return {
            "state": "gone" if new is None else "new",
            "causes": {},
            "outputs": [out["path"] for out in (old or new)["outs"]],
        }
    deps = [{dep["path"]: dep.get("md5") for dep in entry.get("deps", [])} for entry in (old, new)]
    changed = sorted(_dicts(*deps))
    parameters = _dicts(_leaves(old), _leaves(new))
    filled = {
        key for key in parameters if any(other.startswith(key + ".") for other in parameters)
    }  # a table that was empty
    causes = {
        "parameters": {key: pair for key, pair in parameters.items() if key not in filled},
        "code": [path for path in changed if recipe.is_code(path)],
        "inputs": [path for path in changed if not recipe.is_code(path)],
        "command": [recipe.command(old), recipe.command(new)] if old["cmd"] != new["cmd"] else [],
    }
    outs = _dicts(*({out["path"]: out["md5"] for out in entry["outs"]} for entry in (old, new)))
    causes = {kind: value for kind, value in causes.items() if value}
    # a record has the hashes of the code: it differs whenever the code does, and is no input of a figure
    outputs = [path for path in outs if not path.startswith(paths.RECORDS)]
    return {"state": "run again" if causes or outs else "the same", "causes": causes, "outputs": outputs}


def _causes(name: str, stage: dict, packages: bool, inherited: bool) -> list[str]:
    """The causes that begin at this stage."""
    causes = stage["causes"]
    if stage["state"] in ("new", "gone"):
        return [f"stage {name} is {stage['state']}"]
    found = [f"parameter {key}" for key in causes.get("parameters", {})]
    found += [f"code {path}" for path in causes.get("code", [])]
    found += [f"command of {name}"] * bool(causes.get("command"))
    if stage["outputs"] and not found and not inherited and not causes.get("inputs"):
        found.append(OUTSIDE if packages else f"{UNRECORDED}{name}")
    if stage["outputs"] and packages and causes.get("code"):
        found.append(PERHAPS)
    return found


def _leaves(entry: dict) -> dict[str, Any]:
    """Dotted key -> value of each parameter of a stage."""
    found = {}

    def walk(value: Any, prefix: str) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(inner, f"{prefix}.{key}")
        else:
            found[prefix] = value

    for file in entry.get("params", {}).values():
        for key, value in file.items():
            walk(value, key)
    return found


def _dicts(old: dict, new: dict) -> dict[str, list]:
    """Key -> [before, after] of each difference; None if missing."""
    return {key: [old.get(key), new.get(key)] for key in {**old, **new} if old.get(key) != new.get(key)}


def _music(before: Revision, after: Revision) -> dict[str, dict]:
    """Dataset -> clips that were added or removed, or have another label, split or group."""
    found = {}
    for dataset in {**clips.manifests(before), **clips.manifests(after)}:
        path = f"{paths.MANIFESTS}{dataset}.parquet"
        hashes = [revision.hash(path) if path in revision.graph.maker else None for revision in (before, after)]
        if hashes[0] == hashes[1]:
            continue
        tables = [
            clips.read(revision, dataset) if md5 else None
            for revision, md5 in zip((before, after), hashes, strict=True)
        ]
        away = [str(revision) for revision, md5, table in zip((before, after), hashes, tables, strict=True)
                if md5 and table is None]  # fmt: skip
        if away:
            found[dataset] = {
                "unknown": f"its manifest of {' and '.join(away)} is not available (`dvc pull` fetches it)"
            }
            continue
        old, new = (_rows(table) for table in tables)
        found[dataset] = {
            "added": [new[key]["title"] for key in new if key not in old],
            "removed": [old[key]["title"] for key in old if key not in new],
            "changed": [new[key]["title"] for key in new if key in old and new[key] != old[key]],
        }
    return found


def _rows(table: pd.DataFrame | None) -> dict[str, dict]:
    """Clip -> its title for display; paths may differ."""
    if table is None:
        return {}
    columns = ["title", "split", "group", *(name for name in table if name.startswith("target_"))]
    return table.set_index("clip_id")[columns].astype(str).to_dict("index")


def _figures(before: Revision, after: Revision, because: dict[str, list[str]]) -> dict[str, dict]:
    found = {}
    for path in {**before.graph.maker, **after.graph.maker}:
        if not (path.startswith(paths.REPORTS) and path.endswith(".json")):
            continue
        hashes = [revision.hash(path) if path in revision.graph.maker else None for revision in (before, after)]
        if hashes[0] == hashes[1]:
            continue
        stage = after.graph.maker.get(path) or before.graph.maker[path]
        contents = [
            revision.data(path) if md5 else b"{}" for revision, md5 in zip((before, after), hashes, strict=True)
        ]
        away = [revision for revision, content in zip((before, after), contents, strict=True) if content is None]
        if away:
            reason = "; ".join(
                f"the file in dvc.lock of {each} is not available ({targets.brings(each, path)})" for each in away
            )
            found[path] = {"unknown": reason, "because": because[stage]}
            continue
        old, new = (dict(figures.numbers(json.loads(content))) for content in contents)
        changed = [{"key": key, "before": pair[0], "after": pair[1]} for key, pair in _dicts(old, new).items()]
        if changed:
            same = sum(key in new and new[key] == value for key, value in old.items())
            rows = sorted(changed, key=_size, reverse=True)
            found[path] = {"numbers": rows, "same": same, "because": because[stage]}
    return found


def _size(row: dict) -> float:
    """The relative change of a figure, as a share of the larger value; new and removed figures last."""
    if row["before"] is None or row["after"] is None:
        return -1.0
    return abs(row["after"] - row["before"]) / max(abs(row["after"]), abs(row["before"]))


def _commits(before: Revision, after: Revision) -> list[str]:
    """The commits between the two, in either order."""
    return (git("log", "--format=%h %s", f"{before.commit}...{after.commit}", "--", *GIVEN) or "").splitlines()


def _files(before: Revision, after: Revision) -> list[str]:
    """The files of code and settings of stages that differ, whether or not a stage has run with them."""
    ends = [before.commit or "HEAD", *([after.commit] if after.name and after.commit else [])]
    found = (git("diff", "--name-only", "--relative", "-z", *ends, "--", *GIVEN) or "").split("\0")
    if not after.name:
        found += (git("ls-files", "--others", "--exclude-standard", "-z", "--", *GIVEN) or "").split("\0")
    return sorted({name for name in found if name})
