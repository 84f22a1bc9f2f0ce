"""Find everything that depends on a clip, a data or code file, or a parameter."""

import json
from collections.abc import Iterator
from typing import Any

from pipelines.core import paths
from pipelines.ops.lineage import clip_bytes, clips, figures, targets, trained_on, withdraw
from pipelines.ops.lineage.revision import LineageError, Revision

KINDS = {  # folder -> kind of its files, for grouping
    paths.FEATURES: "features",
    paths.MODELS: "models",
    paths.EMBEDDINGS: "embeddings",
    paths.PREDICTIONS: "predictions",
    paths.REPORTS: "figures",
    paths.RECORDS: "records",
}
EVERY = ("dvc.yaml", "constraints.txt")  # every stage depends on them
ROLES = {
    "reference": "trained on it",
    "validation": "selected on it (validation), not trained on it",
    "held_out": "not trained on it: a test clip",
    "outside": "not trained on it: its class is left out of training",
    "shared": "not trained on it, but on its work under another class: its own class is left out of training",
    "unusable": "not trained on it: it was quarantined",
}


def impact(revision: Revision, asked: str) -> dict[str, Any]:
    """`{"target", "clips", "stages", "made", "models", "held", "withdrawn", "registered"}`.

    clips: `{"dataset", "clip_id", "path", "title", "split", "group", "sha256"}` of every clip with the target's bytes, where it
    is a clip. stages: what a run would do again were it changed or gone, in order. made: kind -> `[{"path", "stage"}]`; of
    figures also `numbers`, how many the file holds. models: `[{"path", "stage", "said", "must_retrain"}]`: what a clip was to
    each, None where the target is no clip. held: where its bytes are (`held.places`; of a withdrawn clip that no manifest lists
    any more `held.after`). withdrawn: why it was, as params.yaml has it, else None. registered: what a clip was to registered
    versions (`registered.find`), some of which know clips that the revision does not. Raises `LineageError`.
    """
    try:
        target = targets.find(revision, asked)
    except LineageError as error:
        if found := _withdrawn(revision, asked):
            return found
        if known := [why for content, why in withdraw.reasons(revision).items() if asked in (content, content[:16])]:
            raise LineageError(f"{error} It was withdrawn ({known[0]}), and no available manifest lists it.") from error
        raise
    rows = clips.find(revision, target["clip"]["sha256"]) if target["kind"] == "clip" else []
    graph = revision.graph
    first = _first(revision, target, rows)
    stages = graph.downstream(first)
    made: dict[str, list[dict]] = {}
    for name in stages:
        for out in graph.stages[name]["outs"]:
            kind = next((kind for prefix, kind in KINDS.items() if out["path"].startswith(prefix)), "other data")
            made.setdefault(kind, []).append({"path": out["path"], "stage": name})
    for row in made.get("figures", []):
        content = revision.data(row["path"]) if row["path"].endswith(".json") else None
        row["numbers"] = sum(1 for _ in figures.numbers(json.loads(content))) if content else None
    gone = withdraw.former(revision, target["path"]) if not rows and target["path"].startswith(paths.RAW) else []
    return {
        "target": target,
        "clips": [{"dataset": dataset, **{key: row[key] for key in clips.COLUMNS}} for dataset, row in rows],
        "stages": stages,
        "made": {kind: made[kind] for kind in [*KINDS.values(), "other data"] if kind in made},
        "models": _models(revision, [row["path"] for row in made.get("models", [])], rows),
        "held": clip_bytes.places(revision, rows) if rows else clip_bytes.after(revision, gone) if gone else [],
        "withdrawn": next((withdraw.reasons(revision).get(row["sha256"]) for _, row in [*rows, *gone]), None),
        "registered": _registered(target),
    }


def _registered(target: dict) -> list[dict]:
    """Of a clip, and of a file of raw music that is none any more."""
    if target["kind"] == "clip":
        return trained_on.find(target["clip"]["sha256"])
    return (
        [row for row in trained_on.find(target["path"]) if row["clip"]] if target["path"].startswith(paths.RAW) else []
    )


def _withdrawn(revision: Revision, asked: str) -> dict[str, Any] | None:
    """The answer for a clip that no manifest of the revision lists, but older results or registered versions do."""
    former = [{"dataset": dataset, **{key: row[key] for key in clips.COLUMNS}}
              for dataset, row in withdraw.former(revision, asked)]  # fmt: skip
    known = former + [row["clip"] for row in trained_on.find(asked) if row["clip"]]
    rows = {(clip["dataset"], clip["clip_id"]): clip for clip in known}
    if len({row["sha256"] for row in rows.values()}) > 1:
        raise LineageError(f"{asked!r} names several clips: {', '.join(name for _, name in rows)}. Give one's id.")
    if not rows:
        return None
    clip = next(iter(rows.values()))
    target = {
        "asked": asked,
        "kind": "clip",
        "path": clip["path"],
        "dataset": clip["dataset"],
        "clip": clip,
        "also": [],
    }
    found = {"target": target, "clips": list(rows.values()), "stages": [], "made": {}, "models": []}
    return found | {
        "held": clip_bytes.after(revision, [(row["dataset"], row) for row in rows.values()]),
        "withdrawn": withdraw.reasons(revision).get(clip["sha256"]),
        "registered": trained_on.find(clip["sha256"]),
    }


def _first(revision: Revision, target: dict, rows: list[tuple[str, dict]]) -> list[str]:
    """The stages that read the target directly."""
    graph, path = revision.graph, target["path"]
    if rows:  # the manifest stage excludes a withdrawn clip; raw data stay as published
        return [graph.maker[clips.manifests(revision)[dataset]] for dataset, _ in rows]
    if path in EVERY:
        found = list(graph.stages)
    elif path == "params.yaml" and target["kind"] == "code":
        found = [name for name, entry in graph.stages.items() if any((entry.get("params") or {}).values())]
    elif target["kind"] == "code":
        found = targets.readers(revision, path)
    elif target["kind"] == "parameter":
        key = target["key"]
        found = [name for name, entry in graph.stages.items()
                 if any(key == read or key.startswith(read + ".") or read.startswith(key + ".")
                        for file in entry.get("params", {}).values() for read in file)]  # fmt: skip
        if not found:
            raise LineageError(f"No stage in dvc.lock reads {key} of params.yaml.")
    else:
        found = [name for name in graph.stages for dep in graph.inputs(name)
                 if dep["path"] == path or path.startswith(dep["path"] + "/") or dep["path"].startswith(path + "/")]  # fmt: skip
    return list(dict.fromkeys(found))


def _models(revision: Revision, paths: list[str], rows: list[tuple[str, dict]]) -> list[dict]:
    graph, found = revision.graph, []
    for path in paths:
        stage = graph.maker[path]
        trainings = [name for name in graph.upstream([stage]) if _training(graph.stages[name])]
        roles = {
            _role(revision, _training(graph.stages[name]), dataset, row) for name in trainings for dataset, row in rows
        }
        said = "; ".join(ROLES[role] for role in ROLES if role in roles) if rows else None
        retrain = bool(roles & {"reference", "validation"}) if rows else None
        found.append({"path": path, "stage": stage, "said": said, "must_retrain": retrain})
    return found


def _training(entry: dict) -> dict | None:
    """`training` of params.yaml as a training stage read it; None for any other stage."""
    values = [value for file in entry.get("params", {}).values() for key, value in file.items() if key == "training"]
    makes = any(out["path"].startswith(paths.MODELS) for out in entry["outs"])
    return values[0] if values and makes else None


def _role(revision: Revision, training: dict, dataset: str, row: dict) -> str | None:
    """The role of a clip in a training, a key of `ROLES`; None if it is of another dataset."""
    if training["dataset"] != dataset:
        return None
    index = revision.data(str(paths.audio(dataset) / "index.parquet"))
    return clips.role(clips.read(revision, dataset), index, training.get("leave_out"), row["clip_id"])


def lines(found: dict) -> Iterator[str]:
    """The lines of an answer."""
    for clip in found["clips"]:
        yield f"Clip {clip['clip_id']} of {clip['dataset']}: {clip['title']} ({clip['split']} split, group {clip['group']})"
        yield f"  {clip['path']}, sha256 {clip['sha256']}"
    if not found["clips"]:
        yield f"{found['target']['asked']}"
    if found["withdrawn"]:
        yield f"Withdrawn: {found['withdrawn']}"
    if not found["stages"]:
        yield "No manifest lists it any more." if found["clips"] or found["registered"] else "Nothing has used it."
        yield from trained_on.lines(found["registered"], ROLES)
        yield from clip_bytes.lines(found["held"])
        return
    said = {row["path"]: row["said"] for row in found["models"]}
    for kind, rows in found["made"].items():
        if kind == "records":
            continue
        yield ""
        yield f"{kind.capitalize()} after it:"
        for row in rows:
            more = f": {said[row['path']]}" if said.get(row["path"]) else ""
            more += f", {row['numbers']} numbers" if row.get("numbers") is not None else ""
            yield f"  {row['path']}  ({row['stage']}){more}"
    yield ""
    yield f"If it is changed or removed, {len(found['stages'])} stages run again: {', '.join(found['stages'])}"
    if not found["clips"]:
        yield from trained_on.lines(found["registered"], ROLES)
        yield from clip_bytes.lines(found["held"])
    else:
        retrain = [row["path"] for row in found["models"] if row["must_retrain"]]
        yield f"Models to retrain without it: {', '.join(retrain) or 'none was trained on it'}"
        yield from trained_on.lines(found["registered"], ROLES)
        yield ""
        yield from clip_bytes.lines(found["held"])
        yield ""
        yield f"To withdraw it: conservatory remove {found['clips'][0]['clip_id']} --why '...', then conservatory run"
