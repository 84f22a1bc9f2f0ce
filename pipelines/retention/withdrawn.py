"""The bytes of withdrawn clips, in the caches of this project: what can be purged, and what cannot and why.

A clip is withdrawn by `conservatory remove CLIP`, which writes its SHA-256 to `withdrawn` in params.yaml; the next run makes
everything without it. What older results were made of still holds it, in DVC's cache: the file as published, and the shards of
samples and frames it lies in. These go, also where an older result or a registered model was made from them: that model's
weights, predictions and scores stay, so that it can be promoted, rolled back to and exported; its input cannot be laid out again.

The same bytes go from the worktrees of retrainings that have not ended (while one is at work nothing is purged at all), and from
among what was put aside as spoilt. A worktree that somebody made is left and named.
"""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from pipelines import params, recipe
from pipelines.lineage.revision import remotes
from pipelines.registry import git, history, needed, versions, worktree
from pipelines.remotes import cached
from pipelines.retention.policy import row
from pipelines.retention.stored import references
from pipelines.store import cache as clips
from pipelines.store import shards
from pipelines.store.files import sha256, write_json

DOWNLOADS = Path(".cache/downloads")
SHARDED = ("data/audio/", "data/features/")
ID = 16  # hex digits of a file's SHA-256 that are its clip's id


def contents(project: Path) -> dict[str, str]:
    """SHA-256 -> why, of what is withdrawn."""
    return params.load(project / params.PARAMS).get("withdrawn") or {}


def find(project: Path, cache: Path) -> list[dict]:
    """Rows of what holds withdrawn clips; `paths` are the files that go, `what` is hash -> path of those of DVC's cache."""
    gone, found = contents(project), []
    if not gone:
        return []
    used = _files(cache, recipe.parse_lock(_text(project / recipe.LOCK)))
    holding = _holding(project, cache, set(gone))
    for md5, what in sorted(holding.items(), key=lambda pair: pair[1]):
        if (cache / md5[:2] / md5[2:]).is_file():
            found.append(_row(what, [cache / md5[:2] / md5[2:]], _in_use(md5, used), what={md5: what}))
    holding = needed.purged(project) | holding
    for file, md5, kept in _copies(project, holding):
        name = str(file.relative_to(project) if file.is_relative_to(project) else file)
        found.append(_row(name, [file], kept or _in_use(md5, used), what={md5: holding[md5]}))
    if kept_clips := list((project / clips.folder()).glob("*/??/*")):
        found.append(
            _row(f"{clips.folder()}, all of it: entries do not say whose they are (it costs time alone)", kept_clips)
        )
    for file in sorted((project / DOWNLOADS).rglob("*")):
        if file.is_file():
            kept = (
                "" if sha256(file) in gone else "an archive may hold the clip among others: --also downloads takes all"
            )
            found.append(_row(str(file.relative_to(project)), [file], kept))
    pushed = "what was pushed stays there: docs/retention.md says how it goes"
    return found + [_row(f"remote {name} ({url})", [], pushed) for name, url in remotes().items()]


def _in_use(md5: str, used: dict[str, str]) -> str:
    """Why a file must stay because of this tree; "" where it need not."""
    if md5 not in used:
        return ""
    if used[md5].startswith("data/raw/"):
        return "published data are kept whole until the dataset is removed: conservatory remove DATASET"
    return f"{used[md5]} of this tree is it: conservatory run first, which makes all without the clip"


def _copies(project: Path, holding: dict[str, str]) -> Iterator[tuple[Path, str, str]]:
    """(file, its hash, why it must stay) of copies outside DVC's cache. What is a link to the cache is none."""
    for file in sorted((project / cached.ASIDE).glob("*")):
        if file.name in holding:  # spoilt, it has no hash that tells, but the name of what it was
            yield file, file.name, ""
    for tree, kept in _worktrees(project):
        for place in (*SHARDED, "data/raw/"):
            for file in sorted((tree / place).rglob("*")):
                if file.is_file() and not file.is_symlink() and (md5 := cached.digest(file)) in holding:
                    yield file, md5, kept


def _worktrees(project: Path) -> list[tuple[Path, str]]:
    """The project's git worktrees but itself, and why a file in them must stay."""
    trees = [project / worktree.FOLDER / name for name in worktree.waiting(project)]
    found, ours = [(tree, "") for tree in trees], {project.resolve(), *(tree.resolve() for tree in trees)}
    listed = git.run(project, "worktree", "list", "--porcelain", check=False).stdout or ""
    for line in re.findall(r"^worktree (.+)$", listed, re.M):
        if Path(line).resolve() not in ours:
            found.append((Path(line), "in a worktree that somebody made: conservatory run there, or remove it"))
    return found


def _row(name: str, paths: list[Path], kept: str = "", what: dict[str, str] | None = None) -> dict:
    stats = [path.stat() for path in paths]
    when, size = max((stat.st_mtime for stat in stats), default=0.0), sum(stat.st_size for stat in stats)
    return row("withdrawn", name, when, size if paths else None, kept, paths=paths, what=what or {})


def remove(project: Path, each: dict) -> None:
    """Take the files away. What goes from DVC's cache is first written to registry/purged.json: nobody who pushes an older model
    is to be asked for it."""
    if each["what"]:
        write_json(project / needed.PURGED, dict(sorted({**needed.purged(project), **each["what"]}.items())))
    for file in each["paths"]:
        file.unlink(missing_ok=True)


def _holding(project: Path, cache: Path, gone: set[str]) -> dict[str, str]:
    """md5 -> what it is, of each file that is a withdrawn clip or a shard that holds one, in any result that a reference of git
    or the registry names. A shard may have gone from DVC's cache."""
    ids, found = {content[:ID] for content in gone}, {}
    locks = {_text(project / recipe.LOCK)}
    commits = (
        set(references(project)) if git.run(project, "rev-parse", "--git-dir", check=False).returncode == 0 else set()
    )
    for name in history.names(project):
        commits |= {versions.load(project, name, v)["commit"] for v in history.stages(history.read(project, name))}
    locks |= {git.show(project, commit, str(recipe.LOCK)) or "" for commit in commits}
    seen: set[str] = set()
    for stages in map(recipe.parse_lock, locks):
        for out in (out for entry in stages.values() for out in entry.get("outs", [])):
            md5, path = out["md5"], out["path"]
            if md5 in seen or not md5.endswith(".dir"):
                continue
            seen.add(md5)
            inside = _listing(cache, md5)
            if path.startswith(SHARDED) and "index.parquet" in inside:
                for shard in _shards(cache, inside, ids):
                    if shard in inside:
                        found[inside[shard]] = f"{path}/{shard}"
            elif path.startswith("data/raw/"):
                for name, md5 in inside.items():
                    file = cache / md5[:2] / md5[2:]
                    if file.is_file() and sha256(file) in gone:
                        found[md5] = f"{path}/{name}"
    return found


def _shards(cache: Path, inside: dict[str, str], ids: set[str]) -> set[str]:
    """The shards of a folder in which these clips lie; a copy of a clip has the same id with ~2, ~3 after it."""
    md5 = inside["index.parquet"]
    file = cache / md5[:2] / md5[2:]
    if not file.is_file():
        return set()
    table = pq.read_table(io.BytesIO(file.read_bytes()), columns=["clip_id", "shard"]).to_pylist()
    return {
        shards.shard_path("", line["shard"]).as_posix().lstrip("/") for line in table if line["clip_id"][:ID] in ids
    }


def _files(cache: Path, stages: dict) -> dict[str, str]:
    """md5 -> path of every file that a dvc.lock names."""
    found = {}
    for out in (out for entry in stages.values() for out in entry.get("outs", [])):
        found[out["md5"]] = out["path"]
        for name, md5 in _listing(cache, out["md5"]).items() if out["md5"].endswith(".dir") else ():
            found[md5] = f"{out['path']}/{name}"
    return found


def _listing(cache: Path, md5: str) -> dict[str, str]:
    try:
        return {entry["relpath"]: entry["md5"] for entry in json.loads((cache / md5[:2] / md5[2:]).read_bytes())}
    except (OSError, ValueError):
        return {}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
