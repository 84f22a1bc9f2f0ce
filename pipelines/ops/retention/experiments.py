"""DVC experiments, branches of retrainings, and worktrees that retrainings left behind."""

import re
import time
from pathlib import Path

from pipelines.ops.patches import experiments as reference
from pipelines.ops.registry import git, other_branches, worktree
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.retention import dvc_cache
from pipelines.ops.retention.policy import row

BRANCH = f"refs/heads/{worktree.BRANCH}"


def find(project: Path) -> list[dict]:
    """A row for each commit that experiments or branches of retrainings point at."""
    if git.run(project, "rev-parse", "--git-dir", check=False).returncode:
        return []
    models, unfinished = other_branches.commits(project), set(worktree.waiting(project))
    held = set(re.findall(r"^branch (.+)$", git.run(project, "worktree", "list", "--porcelain").stdout, re.M))
    form = "--format=%(refname) %(objectname) %(committerdate:unix)"
    commits: dict[str, dict] = {}
    for line in git.run(project, "for-each-ref", form, reference.PREFIX, BRANCH.rstrip("/")).stdout.splitlines():
        ref, commit, when = line.split()
        match = reference.REFERENCE.fullmatch(ref)
        if not match and not ref.startswith(BRANCH):
            continue  # DVC's own
        name = match[1] if match else ref.removeprefix("refs/heads/")
        each = commits.setdefault(commit, row("experiment", name, float(when), refs={}))
        each["refs"][ref] = commit
        if commit in models:
            each["kept"] = f"registered: {models[commit]}"
        elif not match and worktree.holds(project, name.removeprefix(worktree.BRANCH), models):
            each["kept"] = "an earlier commit of it is a registered version"
        elif name.removeprefix(worktree.BRANCH).removeprefix("retrain-") in unfinished:
            each["kept"] = "its retraining is unfinished"
        elif ref in held:
            each["kept"] = "checked out in a worktree"
    return list(commits.values())


def usage(project: Path, cache: Path) -> dict:
    """`{"count", "bytes"}`: the number of experiments (one with its branch counts once), and the size of the files of DVC's cache
    that only they name; or `{"problem"}` if the files that a registered model needs are unknown."""
    try:
        found = find(project)
        return {"count": len(found), "bytes": dvc_cache.theirs_alone(project, cache, [each["refs"] for each in found])}
    except RegistryError as error:
        return {"problem": str(error)}


def remove(project: Path, each: dict) -> None:
    """Delete an experiment's references, unless they were changed since they were listed."""
    for ref, commit in each["refs"].items():
        git.run(project, "update-ref", "-d", ref, commit)


def unfinished(project: Path) -> list[dict]:
    """A row for each retraining that was interrupted, failed or is running."""
    found = []
    for name in worktree.waiting(project):
        folder = project / worktree.FOLDER / name
        files = [folder, folder.with_suffix(".json"), *(folder.rglob("*") if folder.is_dir() else ())]
        stats = [file.lstat() for file in files if file.exists()]
        when = max((stat.st_mtime for stat in stats), default=time.time())
        # deleting links to DVC's cache frees nothing
        size = sum(stat.st_size for stat in stats if stat.st_nlink == 1)
        found.append(row("retraining", name, when, size, "running" if worktree.at_work(project, name) else ""))
    return found


def remove_unfinished(project: Path, each: dict) -> None:
    """Remove one, as `conservatory retrain --clean` does. `RegistryError` if it is running by now."""
    worktree.take_away(project, each["name"], other_branches.commits(project))
