"""Find the files of the DVC cache that nothing references.

A file is referenced if its hash is in a dvc.lock, a .dvc file, a record of the registry or a folder's listing: of this tree and
every worktree, of the tip of every branch, tag, stash and experiment, and of every version that is registered here or on any
branch and was not dropped. Hashes are found by a regular expression, so a file that cannot be parsed still protects what it
names. Files younger than the policy allows are kept too: a run may have made one and not yet recorded it."""

import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines import recipe
from pipelines.ops.dvc import recover
from pipelines.ops.patches import locks
from pipelines.ops.registry import cache_references, git, objects, other_branches, versions, worktree
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.retention.policy import DAY, row

HASH = re.compile(rb"\b[0-9a-f]{32}(?:\.dir\b)?")


def why_not(project: Path, cache: Path) -> str:
    """Why nothing may be deleted from the cache now; "" if it may."""
    if not cache.resolve().is_relative_to(project.resolve()):
        return f"it is outside the project, in {cache}, and may be shared"
    return busy(project)


def busy(project: Path) -> str:
    """Why nothing that a run uses may be deleted now; "" if nothing is running."""
    if retrainings := [name for name in worktree.waiting(project) if worktree.at_work(project, name)]:
        return f"retraining {retrainings[0]} is running"
    with contextlib.suppress(OSError, ValueError):
        text = (project / locks.RWLOCK).read_text()
        if living := [pid for pid in locks.dvc_processes(text) if recover.alive(pid)]:
            return f"DVC is running (process {living[0]})"
    return ""


def find(project: Path, cache: Path, keep_days: float, going: set[str], now: float | None = None) -> list[dict]:
    """A row for each reason to keep files of the cache, and one for the files to delete (`paths`). going: references of git that
    do not count. `RegistryError` if the files that a registered model needs are unknown."""
    now = time.time() if now is None else now
    why = _whole(cache, _named(project, going))
    totals: dict[str, list[int]] = {}
    paths, freed, newest = [], 0, 0.0
    for file in cache.glob("??/*"):
        with contextlib.suppress(FileNotFoundError):
            stat = file.stat()
            young = (now - stat.st_mtime) / DAY < keep_days
            reason = why.get(file.parent.name + file.name) or (
                f"not referenced, less than {keep_days:g} days old" if young else ""
            )
            if reason:
                count, size = totals.get(reason, (0, 0))
                totals[reason] = [count + 1, size + stat.st_size]
            else:
                paths.append(file)
                freed += stat.st_size if stat.st_nlink == 1 else 0
                newest = max(newest, stat.st_mtime)
    kept = [row("cache", f"{count} files", now, size, reason) for reason, (count, size) in totals.items()]
    return kept + ([row("cache", f"{len(paths)} unreferenced files", newest, freed, paths=paths)] if paths else [])


def theirs_alone(project: Path, cache: Path, experiments: list[dict[str, str]]) -> int:
    """Bytes of the cache's files that only these experiments name, each reference -> commit. `RegistryError` as of `find`."""
    if not experiments:
        return 0
    going = {ref for refs in experiments for ref in refs}
    commits, blobs = {commit for refs in experiments for commit in refs.values()}, {}
    named = ((md5, "") for commit in commits for md5 in _in_commit(project, commit, blobs))
    total = 0
    for md5 in _whole(cache, named).keys() - _whole(cache, _named(project, going)).keys():
        with contextlib.suppress(FileNotFoundError):
            total += (cache / md5[:2] / md5[2:]).stat().st_size
    return total


def _whole(cache: Path, named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Hash -> its first reason to be kept, for the named files and the files in named folders."""
    why: dict[str, str] = {}
    for md5, reason in named:
        why.setdefault(md5, reason)
    for md5 in [md5 for md5 in why if md5.endswith(".dir")]:
        for inside in listing(cache, md5):
            why.setdefault(inside, why[md5])
    return why


def remove(each: dict) -> None:
    """Delete the files, listings first: DVC takes a listing as proof that its files are there."""
    for file in sorted(each["paths"], key=lambda file: not file.name.endswith(".dir")):
        file.unlink(missing_ok=True)


def listing(cache: Path, md5: str) -> list[str]:
    """The hashes in a folder's listing; none if the cache lacks it."""
    try:
        return [found.decode() for found in HASH.findall((cache / md5[:2] / md5[2:]).read_bytes())]
    except OSError:
        return []


def _named(project: Path, going: set[str]) -> Iterator[tuple[str, str]]:
    """(hash, reason to keep it), the most important reasons first."""
    blobs: dict[str, list[str]] = {}
    for record, _ in versions.undropped(project):
        reason = "needed by a registered model"
        for path, md5 in cache_references.of_version(record).items():
            if md5.endswith(".dir"):
                _have(project, md5, path, f"{record['name']} {record['version']}")
        yield from ((md5, reason) for md5 in record["hashes"].values())
        yield from ((md5, reason) for md5 in _in_commit(project, record["commit"], blobs))
    for text, _ in other_branches.others(project):
        reason = "needed by a model registered on another branch"
        yield from ((found.decode(), reason) for found in HASH.findall(text.encode()))
        for commit in other_branches.COMMIT.findall(text):
            yield from ((md5, reason) for md5 in _in_commit(project, commit, blobs))
    trees, under_git = [project], git.run(project, "rev-parse", "--git-dir", check=False).returncode == 0
    if under_git:
        listed = git.run(project, "worktree", "list", "--porcelain").stdout.splitlines()
        trees += [Path(line.partition(" ")[2]) for line in listed if line.startswith("worktree ")]
    for tree in trees:
        for file in (tree / "dvc.lock", *recipe.dvc_files(tree)):
            hashes = HASH.findall(file.read_bytes()) if file.is_file() else []
            yield from ((found.decode(), "named by this tree or a worktree") for found in hashes)
    for commit in git.references(project, going) if under_git else ():
        yield from ((md5, "named by a branch, tag or experiment") for md5 in _in_commit(project, commit, blobs))


def _have(project: Path, md5: str, path: str, model: str) -> None:
    """Fetch the listing of a registered model's folder, without which its files are unknown."""
    try:
        objects.find(project, md5, path)
    except RegistryError as error:
        raise RegistryError(
            f"The files that {model} needs are unknown: {error}. Nothing was removed from DVC's cache"
        ) from error


def _in_commit(project: Path, commit: str, blobs: dict[str, list[str]]) -> Iterator[str]:
    """The hashes in a commit's dvc.lock and .dvc files; `blobs` remembers those read."""
    listed = git.run(project, "ls-tree", "-r", "-z", commit, check=False).stdout
    for line in filter(None, listed.split("\0")):
        (_, kind, blob), path = line.split("\t")[0].split(), line.split("\t", 1)[1]
        if kind == "blob" and (path == "dvc.lock" or path.endswith(".dvc")):
            if blob not in blobs:
                text = git.run(project, "cat-file", "blob", blob).stdout
                blobs[blob] = [found.decode() for found in HASH.findall(text.encode())]
            yield from blobs[blob]
