"""Resolve the target of a question in dvc.lock: a figure, model, clip, stage or file."""

import hashlib
import json
from pathlib import Path, PurePosixPath

from pipelines import recipe
from pipelines.core import paths
from pipelines.ops.lineage import clips, figures
from pipelines.ops.lineage.revision import LineageError, Revision, blobs, git, tracked
from pipelines.ops.settings.kinds import nearest

HOW = (
    "Ask about a figure (reports/clustering.json#scores.style.short.hungarian_accuracy), a model (short), a clip (its id, path "
    "or title), a stage (cluster@scores), or any file made by a stage or tracked by git."
)


def find(revision: Revision, asked: str) -> dict:
    """`{"asked", "kind", "path", ...}`. By kind:

    figure: `key`, `value`, `beside`, `from` (file and key it was copied from, or None). output: no further keys; `path` may be
    inside an output, or a folder of several. clip: `clip` (its row of the manifest), `dataset`, `also` (other datasets with the
    same bytes). code: a file in git that stages may load, or a folder of such. Raises `LineageError`.
    """
    graph = revision.graph
    path, hash_sign, key = asked.partition("#")
    path = relative(path)
    if hash_sign and path == "params.yaml":
        return {"asked": asked, "kind": "parameter", "path": path, "key": key}
    if hash_sign:
        return _figure(revision, asked, path, key)
    if asked in graph.stages:
        return {"asked": asked, "kind": "output", "path": _main_output(graph.stages[asked])}
    if graph.outputs(path):
        if (rows := clips.find(revision, path)) and path not in graph.maker:
            return _clip(asked, rows)
        if any(path.startswith(out + "/") for out in graph.outputs(path)) and revision.hash(path) is None:
            raise LineageError(f"No stage made {path} at {revision}. {HOW}")
        return {"asked": asked, "kind": "output", "path": path}
    models = [out for out in graph.maker if out.startswith(paths.MODELS) and PurePosixPath(out).name == asked]
    if models:
        return {"asked": asked, "kind": "output", "path": min(models, key=lambda out: "/onnx/" in out)}
    rows = clips.find(revision, path) or (path != asked and clips.find(revision, asked)) or []
    if rows:
        return _clip(asked, rows)
    # of a revision, `read` gives what its tree holds; of the working tree any file, tracked or not
    if revision.read(path) is not None and (
        revision.name or git("ls-files", "--error-unmatch", "--", path) is not None
    ):
        return {"asked": asked, "kind": "code", "path": path}
    if path not in ("", ".") and _is_folder(revision, path):
        return {"asked": asked, "kind": "code", "path": path}
    near = nearest(path, _names(revision, path))
    meant = f"; do you mean {near}?" if near else "."
    raise LineageError(f"{asked!r} was not found in {revision}{meant} {HOW}{not_searched(revision)}")


def _names(revision: Revision, path: str) -> list[str]:
    """Known names to suggest for an unknown one: stages, outputs, models, and clips by title, and by path with as many parts."""
    names = [*revision.graph.stages, *revision.graph.maker]
    names += [PurePosixPath(out).name for out in revision.graph.maker if out.startswith(paths.MODELS)]
    n_parts = len(PurePosixPath(path).parts)
    for dataset in clips.manifests(revision):
        if (table := clips.read(revision, dataset)) is not None:
            names.extend(table["title"])
            names.extend("/".join(name.split("/")[-n_parts:]) for name in table["path"])
    return list(dict.fromkeys(names))


def _is_folder(revision: Revision, path: str) -> bool:
    """Does git track files in this folder?"""
    if revision.name:
        return bool(tracked(revision.commit, path + "/"))
    return Path(path).is_dir() and bool(git("ls-files", "--", path))


def not_searched(revision: Revision) -> str:
    """A sentence that names the datasets whose clips could not be searched; "" if all could."""
    away = [dataset for dataset in clips.manifests(revision) if clips.read(revision, dataset) is None]
    return f" The clips of {', '.join(away)} are not available: `dvc pull data/manifests` fetches them." if away else ""


def relative(path: str) -> str:
    """A path relative to the project's folder; one outside stays absolute."""
    if not Path(path).is_absolute():
        return str(PurePosixPath(path)) if path else path
    here = Path.cwd()
    return Path(path).relative_to(here).as_posix() if Path(path).is_relative_to(here) else path


def _main_output(entry: dict) -> str:
    outs = [out["path"] for out in entry["outs"]]
    return next((out for out in outs if not out.startswith(paths.RECORDS)), outs[0])


def _figure(revision: Revision, asked: str, path: str, key: str) -> dict:
    if not path.endswith(".json"):
        raise LineageError(f"{path} is not JSON, and only JSON has keys: give the file without #{key}.")
    if not revision.graph.outputs(path):
        raise LineageError(f"No stage made {path} at {revision}. {HOW}")
    content = revision.data(path)
    if content is None:
        raise LineageError(
            f"{path} with the hash in dvc.lock of {revision} ({revision.hash(path)}) is not available: {brings(revision, path)}."
        )
    keys, value, around = figures.lookup(json.loads(content), key)
    stage = revision.graph.maker[revision.graph.outputs(path)[0]]
    found = figures.origin(revision, stage, keys, value) if not isinstance(value, dict | list) else None
    return {
        "asked": asked,
        "kind": "figure",
        "path": path,
        "key": key,
        "value": value,
        "beside": figures.beside(keys, around),
        "from": found and {"path": found[0], "key": found[1]},
    }


def brings(revision: Revision, path: str) -> str:
    """How to get the bytes of an output that is not available: from DVC's remote, from git, or by a run."""
    committed = blobs(revision.commit, [path])[path] if revision.commit else None
    in_git = committed is not None or (revision.commit and git("check-ignore", "-q", "--", path) is None)
    if not in_git:
        return (
            f"`dvc pull {path}` fetches it" if revision.name else f"`dvc pull {path}` or `conservatory run` restores it"
        )
    if revision.name:
        return "git has another version there"
    if committed and hashlib.md5(committed).hexdigest() == revision.hash(path):
        return f"`git checkout HEAD -- {path}` or `conservatory run` restores it"
    return "`conservatory run` makes it"


def _clip(asked: str, rows: list[tuple[str, dict]]) -> dict:
    dataset, row = rows[0]
    if len({row["sha256"] for _, row in rows}) > 1:
        raise LineageError(
            f"{asked!r} names several clips: {', '.join(row['clip_id'] for _, row in rows)}. Give one's id."
        )
    kept = {name: row[name] for name in clips.COLUMNS}
    also = [{"dataset": name, "clip_id": other["clip_id"], "path": other["path"]} for name, other in rows[1:]]
    return {"asked": asked, "kind": "clip", "path": row["path"], "dataset": dataset, "clip": kept, "also": also}


def readers(revision: Revision, path: str) -> list[str]:
    """The stages that depend on a code file, on a folder that contains it, or on files of a folder."""
    around = {path, *map(str, PurePosixPath(path).parents)}
    stages = revision.graph.stages.items()
    return [name for name, entry in stages if any(
            recipe.is_code(dep["path"]) and (dep["path"] in around or dep["path"].startswith(path + "/"))
            for dep in entry.get("deps", []))]  # fmt: skip
