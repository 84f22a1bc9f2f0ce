"""Find the files of the DVC cache that contain withdrawn clips: as published, in a shard, or possibly as an excerpt in a report.

All recorded results are searched: in the dvc.lock of this tree, of any commit that a reference, a reflog or the registry leads
to, and in DVC's run cache, which also has results that were never committed."""

import contextlib
import io
import json
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from pipelines import recipe
from pipelines.core import paths, shards
from pipelines.core.files import sha256
from pipelines.ops.patches.cache import folder, runs
from pipelines.ops.registry import git, history, versions
from pipelines.ops.registry.errors import RegistryError

AUDIO = str(paths.audio(""))
SHARDED = (f"{AUDIO}/", paths.FEATURES)
ID = 16  # hex digits of a file's SHA-256 that are its clip's id


def find(project: Path, cache: Path, gone: set[str]) -> tuple[dict[str, str], list[str]]:
    """md5 -> path of each file that holds a withdrawn clip (DVC's cache may lack it by now), and the commits whose dvc.lock
    cannot be read."""
    ids, found, unread = frozenset(content[:ID] for content in gone), {}, []
    seen: set[str] = set()
    reports: dict[tuple[str, str], set[bool | None]] = {}
    for commit, text in _locks(project):
        try:
            graph = recipe.Graph(recipe.parse_lock(text))
        except (yaml.YAMLError, KeyError, TypeError, AttributeError):
            unread.append(commit)
            continue
        for entry in graph.stages.values():
            _outputs(cache, entry, gone, ids, seen, found)
            for report in _reports(entry):
                reports.setdefault(report, set()).add(_plays(cache, graph, entry, ids))
    for entry in _runs(cache):
        _outputs(cache, entry, gone, ids, seen, found)
        for report in _reports(entry):
            reports.setdefault(report, set())
    return found | {md5: path for (md5, path), plays in reports.items() if True in plays or False not in plays}, unread


def files(cache: Path, project: Path) -> dict[str, str]:
    """md5 -> path of every file that this tree's dvc.lock names. `RegistryError` if it cannot be read."""
    try:
        stages = recipe.locked_stages(project)
    except yaml.YAMLError as error:
        raise RegistryError(
            f"dvc.lock is damaged, so the files of this tree are unknown: repair it first "
            f"({' '.join(str(error).split())[:200]})"
        ) from error
    found = {}
    for out in (out for entry in stages.values() for out in entry.get("outs", [])):
        found[out["md5"]] = out["path"]
        for name, md5 in listing(cache, out["md5"]).items():
            found[md5] = f"{out['path']}/{name}"
    return found


def listing(cache: Path, md5: str) -> dict[str, str]:
    """Relative path -> md5 of the files of a folder; empty where the cache has no listing, and of a file."""
    try:
        content = (cache / md5[:2] / md5[2:]).read_bytes() if md5.endswith(".dir") else b"[]"
        return {entry["relpath"]: entry["md5"] for entry in json.loads(content)}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _locks(project: Path) -> Iterator[tuple[str, str]]:
    """(commit, text) of each different dvc.lock; first this tree's, with the commit ""."""
    lock = project / recipe.LOCK
    texts = {lock.read_text(encoding="utf-8") if lock.exists() else ""}
    yield from (("", text) for text in texts)
    commits: dict[str, None] = {}
    if git.run(project, "rev-parse", "--git-dir", check=False).returncode == 0:
        # the cache may still have shards of older commits of a branch
        walk = ("rev-list", "--all", "--reflog", "--full-history", "--", str(recipe.LOCK))
        commits |= dict.fromkeys([*git.references(project), *git.run(project, *walk, check=False).stdout.split()])
    for name in history.names(project):
        for version in history.stages(history.read(project, name)):
            commits[versions.load(project, name, version)["commit"]] = None
    for commit in commits:
        text = git.show(project, commit, str(recipe.LOCK)) or ""
        if text not in texts:
            texts.add(text)
            yield commit, text


def _runs(cache: Path) -> Iterator[dict]:
    """The entries of stages in DVC's run cache, in the form of dvc.lock."""
    for file in sorted(file for run in runs(folder(cache)) for file in run.iterdir()):
        with contextlib.suppress(OSError, ValueError, yaml.YAMLError):
            text = textwrap.indent(file.read_text(encoding="utf-8"), "    ")
            yield from recipe.parse_lock(f"stages:\n  run:\n{text}").values()


def _outputs(
    cache: Path, entry: dict, gone: set[str], ids: frozenset[str], seen: set[str], found: dict[str, str]
) -> None:
    """Add to `found` the files of a stage's outputs that are a withdrawn clip, or a shard with one."""
    for out in entry.get("outs", []):
        md5, path = out["md5"], out["path"]
        if md5 in seen or not md5.endswith(".dir"):
            continue
        seen.add(md5)
        inside = listing(cache, md5)
        if path.startswith(SHARDED):
            held = _shards(_index(cache, inside), ids) or ()
            found |= {inside[shard]: f"{path}/{shard}" for shard in held if shard in inside}
        elif path.startswith(paths.RAW):
            for name, each in inside.items():
                file = cache / each[:2] / each[2:]
                if file.is_file() and sha256(file) in gone:
                    found[each] = f"{path}/{name}"


def _index(cache: Path, inside: dict[str, str]) -> Path:
    md5 = inside.get("index.parquet", "")
    return cache / md5[:2] / md5[2:]


@lru_cache(maxsize=1 << 12)
def _shards(index: Path, ids: frozenset[str]) -> frozenset[str] | None:
    """The shards with these clips or copies of them (whose id ends in ~2, ~3); None without an index."""
    if not index.is_file():
        return None
    table = pq.read_table(io.BytesIO(index.read_bytes()), columns=["clip_id", "shard"]).to_pylist()
    return frozenset(
        shards.shard_path("", line["shard"]).as_posix().lstrip("/") for line in table if line["clip_id"][:ID] in ids
    )


def _reports(entry: dict) -> list[tuple[str, str]]:
    outs = [(out["md5"], out["path"]) for out in entry.get("outs", [])]
    return [(md5, path) for md5, path in outs if path.startswith(paths.REPORTS) and path.endswith(".html")]


def _plays(cache: Path, graph: recipe.Graph, entry: dict, ids: frozenset[str]) -> bool | None:
    """Was one of these clips in the audio that a report was made from? None if unknown: an index is missing, or the audio was
    made again after the report. The report itself does not say which clips it plays."""
    plays = False
    for dep in entry.get("deps", []):
        if dep["path"] != AUDIO and not dep["path"].startswith(f"{AUDIO}/"):
            continue
        read: dict[str, str] = {}
        for out in graph.outputs(dep["path"]):
            inside = listing(cache, recipe.data_version(graph.stages[graph.maker[out]], out))
            held = _shards(_index(cache, inside), ids)
            if held is None:
                return None
            plays = plays or bool(held)
            prefix = out[len(dep["path"]) + 1 :]
            read |= {f"{prefix}/{name}" if prefix else name: md5 for name, md5 in inside.items()}
        if recipe.folder_hash(read) != dep.get("md5"):
            return None
    return plays
