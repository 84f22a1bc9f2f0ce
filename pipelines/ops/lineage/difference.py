"""Explain the difference between two results: changed inputs (music, parameters, code, recipe, environment), the stages that they
affect, and the figures that changed.

Why is said stage by stage: its own causes are what differs among what it was given directly; what it inherits is what
differs among the outputs it read. A stage whose output differs though nothing it was given does points at what dvc.lock does not
record: the environment, or another machine.
"""

import json
from typing import Any

import pandas as pd

from pipelines import recipe
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
    "code file"), `through` are the stages whose outputs it read and that differ, `because` is all that lies at the root of it.
    figures: file -> `{"numbers": [{"key", "before", "after"}], "same", "because"}`, what moved most first; of a file that is not
    at hand `{"unknown", "because"}`, and nothing can be said of its numbers. Raises `LineageError`.
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
    """What differs between two entries of dvc.lock."""
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
    # a record holds the hashes of the code: it differs wherever code does, and no figure comes from it
    outputs = [path for path in outs if not path.startswith("data/records/")]
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
    """Key -> [before, after] of what differs; None stands for what is not there."""
    return {key: [old.get(key), new.get(key)] for key in {**old, **new} if old.get(key) != new.get(key)}


def _music(before: Revision, after: Revision) -> dict[str, dict]:
    """Dataset -> clips that came, went, or have another label, split or group."""
    found = {}
    for dataset in {**clips.manifests(before), **clips.manifests(after)}:
        path = f"{clips.FOLDER}{dataset}.parquet"
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
            found[dataset] = {"unknown": f"its manifest of {' and '.join(away)} is not at hand (`dvc pull` brings it)"}
            continue
        old, new = (_rows(table) for table in tables)
        found[dataset] = {
            "added": [new[key]["title"] for key in new if key not in old],
            "removed": [old[key]["title"] for key in old if key not in new],
            "changed": [new[key]["title"] for key in new if key in old and new[key] != old[key]],
        }
    return found


def _rows(table: pd.DataFrame | None) -> dict[str, dict]:
    """Clip -> what a person knows it by; paths may differ."""
    if table is None:
        return {}
    columns = ["title", "split", "group", *(name for name in table if name.startswith("target_"))]
    return table.set_index("clip_id")[columns].astype(str).to_dict("index")


def _figures(before: Revision, after: Revision, because: dict[str, list[str]]) -> dict[str, dict]:
    found = {}
    for path in {**before.graph.maker, **after.graph.maker}:
        if not (path.startswith("reports/") and path.endswith(".json")):
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
            told = "; ".join(
                f"it is not at hand as dvc.lock of {each} has it ({targets.brings(each, path)})" for each in away
            )
            found[path] = {"unknown": told, "because": because[stage]}
            continue
        old, new = (dict(figures.numbers(json.loads(content))) for content in contents)
        changed = [{"key": key, "before": pair[0], "after": pair[1]} for key, pair in _dicts(old, new).items()]
        if changed:
            same = sum(key in new and new[key] == value for key, value in old.items())
            rows = sorted(changed, key=_size, reverse=True)
            found[path] = {"numbers": rows, "same": same, "because": because[stage]}
    return found


def _size(row: dict) -> float:
    """How much a figure moved, as a share of the larger; new and gone ones last."""
    if row["before"] is None or row["after"] is None:
        return -1.0
    return abs(row["after"] - row["before"]) / max(abs(row["after"]), abs(row["before"]))


def _commits(before: Revision, after: Revision) -> list[str]:
    """Those between the two, whichever is the older."""
    return (git("log", "--format=%h %s", f"{before.commit}...{after.commit}", "--", *GIVEN) or "").splitlines()


def _files(before: Revision, after: Revision) -> list[str]:
    """The files that stages are given, of code and settings, that differ: whether a stage has run with them or not."""
    ends = [before.commit or "HEAD", *([after.commit] if after.name and after.commit else [])]
    found = (git("diff", "--name-only", "--relative", "-z", *ends, "--", *GIVEN) or "").split("\0")
    if not after.name:
        found += (git("ls-files", "--others", "--exclude-standard", "-z", "--", *GIVEN) or "").split("\0")
    return sorted({name for name in found if name})
