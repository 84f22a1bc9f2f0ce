"""The git commands that the registry uses, always in an explicit folder."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from pipelines.ops.registry.errors import RegistryError

NOBODY = ("-c", "user.name=Conservatory", "-c", "user.email=conservatory@localhost")


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess:
    """`git COMMAND` in `folder`, its output as text. `RegistryError` with git's own words if it fails."""
    try:
        done = subprocess.run(
            ["git", *command], cwd=folder, env=_environment(), capture_output=True, text=True, encoding="utf-8"
        )
    except FileNotFoundError as error:
        raise RegistryError("git is not installed; the registry needs it") from error
    if check and done.returncode:
        raise RegistryError(f"git {command[0]} in {folder.absolute()}: {(done.stderr or done.stdout).strip()}")
    return done


def _environment() -> dict[str, str]:
    # set in hooks: they would point git to another repository
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    return {name: value for name, value in os.environ.items() if name not in elsewhere}


def commit_id(project: Path, revision: str) -> str:
    """The 40 hex digits of a revision. `RegistryError` if there is no such revision, or no git."""
    if run(project, "rev-parse", "--show-cdup", check=False).returncode:
        raise RegistryError(
            f"{project.absolute()} is not in git, and a version of a model needs a commit: git init, git add -A, git commit"
        )
    done = run(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", check=False)
    if done.returncode:
        raise RegistryError(f"git has no revision {revision!r}; `git log --oneline` lists them")
    return done.stdout.strip()


def objects(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Name -> hash of git objects, by one process; unknown names are left out."""
    asked = sorted(names)
    content = _batch(folder, "--batch", asked) if asked else b""
    found, place = {}, 0
    for name in asked:
        end = content.index(b"\n", place)
        line, place = content[place:end], end + 1
        if not line.endswith(b" missing"):
            size = int(line.rpartition(b" ")[2])
            found[name], place = content[place : place + size], place + size + 1
    return found


def distinct(folder: Path, names: dict[str, str]) -> dict[str, str]:
    """Hash -> the value of its first name; unknown names are left out."""
    asked = list(names)
    lines = _batch(folder, "--batch-check=%(objectname)", asked).decode().splitlines() if asked else []
    found: dict[str, str] = {}
    for name, line in zip(asked, lines, strict=True):
        if not line.endswith(" missing"):
            found.setdefault(line, names[name])
    return found


def _batch(folder: Path, option: str, names: list[str]) -> bytes:
    asked = "\n".join(names).encode() + b"\n"
    done = subprocess.run(["git", "cat-file", option], cwd=folder, input=asked, env=_environment(), capture_output=True)
    if done.returncode:
        raise RegistryError(f"git cat-file in {folder.absolute()}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout


def branch(project: Path) -> str:
    """The branch that is checked out; "" if none is."""
    return run(project, "symbolic-ref", "--quiet", "--short", "HEAD", check=False).stdout.strip()


def show(project: Path, commit: str, path: str) -> str | None:
    """The text of a file of the project as of a commit; None if it was not there."""
    done = run(project, "show", f"{commit}:./{path}", check=False)
    return None if done.returncode else done.stdout


def references(project: Path, going: Iterable[str] = ()) -> dict[str, str]:
    """Commit -> a reference that points at it: every branch, tag, stash and experiment but those `going`, and each worktree's."""
    found = {}
    form = "--format=%(refname) %(objectname) %(*objectname)"
    for line in run(project, "for-each-ref", form).stdout.splitlines():
        ref, *commits = line.split()
        if ref not in going:
            found.setdefault(commits[-1], ref.removeprefix("refs/").removeprefix("heads/"))
    for commit in run(project, "stash", "list", "--format=%H").stdout.split():  # refs/stash names only the newest
        found.setdefault(commit, "stash")
    for line in run(project, "worktree", "list", "--porcelain").stdout.splitlines():
        if line.startswith("HEAD "):
            found.setdefault(line.split()[1], "HEAD")
    return found


def identity(folder: Path) -> tuple[str, ...]:
    """Options for a commit if git has no user name configured, as on a server; else none."""
    known = run(folder, "var", "GIT_COMMITTER_IDENT", check=False).returncode == 0
    return () if known else NOBODY


def commit_only(project: Path, path: str, message: str) -> str:
    """Commit `path` on the branch that is checked out, and nothing else: other changes, staged or not, stay as they are.

    Returns "" or why the user has to commit it (a rebase or merge in progress, a locked index).
    """
    if not branch(project):
        return "no branch is checked out"
    run(project, "add", "--", path, check=False)
    done = run(
        project,
        *identity(project),
        "commit",
        "--quiet",
        "--no-verify",
        "--only",
        "-m",
        message,
        "--",
        path,
        check=False,
    )
    return "" if done.returncode == 0 else " ".join((done.stderr or done.stdout).split())
