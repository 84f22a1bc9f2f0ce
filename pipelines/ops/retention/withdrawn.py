"""The bytes of withdrawn clips in this project's caches: which can be purged, and which cannot and why.

`conservatory remove CLIP` withdraws a clip: it writes its SHA-256 to `withdrawn` in params.yaml, and the next run makes
everything without it. DVC's cache still has its bytes: in the published file, in shards of samples and frames, and in reports
that may play an excerpt (`withdrawn_files.py`). These files are deleted, even if an older result or a registered model was made
from them. The weights, predictions and scores of that model are kept, so it can be promoted, rolled back to and exported; its
input cannot be restored.

The same bytes are deleted from worktrees of unfinished retrainings (while one is running, nothing is purged) and from files that
were moved aside as damaged. A worktree made by the user is kept and named.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipelines.core import cache as clips
from pipelines.core import params, paths
from pipelines.core.files import sha256, write_json
from pipelines.ops.lineage.revision import remotes
from pipelines.ops.registry import cache_references, git, worktree
from pipelines.ops.remotes import local_cache
from pipelines.ops.retention import withdrawn_files
from pipelines.ops.retention.policy import row
from pipelines.ops.settings import load_params

DOWNLOADS = Path(".cache/downloads")


def contents(project: Path) -> dict[str, str]:
    """SHA-256 of each withdrawn clip -> the reason."""
    return load_params(project / params.PARAMS).get("withdrawn") or {}


def find(project: Path, cache: Path) -> list[dict]:
    """Rows of files with withdrawn clips; `paths` are the files to delete, `what` is hash -> path of those in DVC's cache."""
    gone, found = contents(project), []
    if not gone:
        return []
    used = withdrawn_files.files(cache, project)
    held, unread = withdrawn_files.find(project, cache, set(gone))
    for md5, what in sorted(held.items(), key=lambda pair: pair[1]):
        if (cache / md5[:2] / md5[2:]).is_file():
            found.append(_row(what, [cache / md5[:2] / md5[2:]], _in_use(md5, used), what={md5: what}))
    held = cache_references.purged(project) | held
    for file, md5, kept in _copies(project, held):
        name = str(file.relative_to(project) if file.is_relative_to(project) else file)
        found.append(_row(name, [file], kept or _in_use(md5, used), what={md5: held[md5]}))
    if kept_clips := list((project / clips.folder()).glob("*/??/*")):
        found.append(
            _row(f"{clips.folder()}, all of it: entries do not name their clip (it can be computed again)", kept_clips)
        )
    for file in sorted((project / DOWNLOADS).rglob("*")):
        if file.is_file():
            kept = (
                ""
                if sha256(file) in gone
                else "an archive may contain the clip: --also downloads deletes all downloads"
            )
            found.append(_row(str(file.relative_to(project)), [file], kept))
    for commit in unread:
        kept = "it cannot be read, so files that only it names were not searched"
        found.append(_row(f"dvc.lock of {commit[:12] or 'this tree'}", [], kept))
    pushed = "pushed files stay there until conservatory prune --withdrawn --remote"
    return found + [_row(f"remote {name} ({url})", [], f"{pushed} {name}") for name, url in remotes().items()]


def _in_use(md5: str, used: dict[str, str]) -> str:
    """Why this tree needs a file; "" if it does not."""
    if md5 not in used:
        return ""
    if used[md5].startswith(paths.RAW):
        return "published data are kept until the dataset is removed: conservatory remove DATASET"
    return f"it is {used[md5]} of this tree; first run conservatory run, which makes everything without the clip"


def _copies(project: Path, held: dict[str, str]) -> Iterator[tuple[Path, str, str]]:
    """(file, its hash, why it must be kept) of copies outside DVC's cache; links to the cache are no copies."""
    for file in sorted((project / local_cache.ASIDE).glob("*")):
        if file.name in held:  # a damaged file: its name is the hash it had
            yield file, file.name, ""
    for tree, kept in _worktrees(project):
        for place in (*withdrawn_files.SHARDED, paths.RAW, paths.REPORTS):
            for file in sorted((tree / place).rglob("*")):
                if file.is_file() and not file.is_symlink() and (md5 := local_cache.digest(file)) in held:
                    yield file, md5, kept


def _worktrees(project: Path) -> list[tuple[Path, str]]:
    """The other git worktrees of the project, and why a file in them must be kept."""
    trees = [project / worktree.FOLDER / name for name in worktree.waiting(project)]
    found, ours = [(tree, "") for tree in trees], {project.resolve(), *(tree.resolve() for tree in trees)}
    listed = git.run(project, "worktree", "list", "--porcelain", check=False).stdout or ""
    for line in re.findall(r"^worktree (.+)$", listed, re.M):
        if Path(line).resolve() not in ours:
            found.append((Path(line), "in a worktree made by a user: run conservatory run there, or remove it"))
    return found


def _row(name: str, paths: list[Path], kept: str = "", what: dict[str, str] | None = None) -> dict:
    stats = [path.stat() for path in paths]
    when, size = max((stat.st_mtime for stat in stats), default=0.0), sum(stat.st_size for stat in stats)
    return row("withdrawn", name, when, size if paths else None, kept, paths=paths, what=what or {})


def remove(project: Path, each: dict) -> None:
    """Delete the files. Those of DVC's cache are first listed in registry/purged.json, so that pushing an older model does not
    require them."""
    if each["what"]:
        write_json(
            project / cache_references.PURGED,
            dict(sorted({**cache_references.purged(project), **each["what"]}.items())),
        )
    for file in each["paths"]:
        file.unlink(missing_ok=True)
