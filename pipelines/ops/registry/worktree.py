"""A git worktree for each retraining, in `.cache/retrain/<id>` on a branch `retrain/<id>`. It shares the project's DVC cache; the
user's tree and other retrainings are not changed.

`<id>.json` beside it is written when the worktree is complete, and has the options; `<id>.lock` is held while a process works in
it, which tells a running retraining from a killed one.
"""

import datetime
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil
from voluptuous import ALLOW_EXTRA, Schema

from pipelines.core.files import write_json
from pipelines.ops.patches import cache, config
from pipelines.ops.registry import git, json_files
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.runs import record

FOLDER = Path(".cache/retrain")
BRANCH = "retrain/"
PLAN = Schema({"base": json_files.COMMIT, "changes": [str], "stages": [str]}, required=True, extra=ALLOW_EXTRA)


def new_id() -> str:
    """For instance 20261121T214000Z-3fa9: sorts by time, and differs for two that start in one second."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


@contextmanager
def held(project: Path, name: str) -> Iterator[IO]:
    """Hold the lock of a retraining. `RegistryError` if another process does. Yields the open file; child processes inherit
    it."""
    folder = project / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w") as file:
        for patience in (0.2, 0.0):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not patience:
                    numbers = ", ".join(map(str, _holders(Path(file.name)))) or "of another user or machine"
                    raise RegistryError(
                        f"retraining {name} is running in another process ({numbers}); nothing was done. Wait for its "
                        "end, or end it"
                    ) from None
                time.sleep(patience)  # `at_work` may hold it for a moment
        yield file


def _holders(lock: Path) -> list[int]:
    """The other processes with a lock's file open; they include children of a killed process."""
    found, path = [], str(lock.absolute())
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has ended, or is another user's
            if process.pid != os.getpid() and any(file.path == path for file in process.open_files()):
                found.append(process.pid)
    return found


def create(project: Path, name: str, revision: str, plan: dict) -> Path:
    """Make the worktree at a revision. Raises `RegistryError` outside git, or if the project is not the root of its
    repository."""
    base = git.commit_id(project, revision)
    if inside := git.run(project, "rev-parse", "--show-prefix").stdout.strip():
        raise RegistryError(
            f"the project is the folder {inside} of a git repository; a retraining needs the project at its root"
        )
    path = project / FOLDER / name
    with _one_at_a_time(project):
        git.run(project, "worktree", "add", "--quiet", "-b", BRANCH + name, str(path.absolute()), base)
    share(project, path)
    write_json(_plan(project, name), {"base": base, **plan})
    return path


def plan(project: Path, name: str) -> dict:
    """The options of a retraining: base (a commit), changes and stages. `RegistryError` if it does not exist, was never
    completed, or cannot be read."""
    if not _plan(project, name).exists():
        there = ", ".join(waiting(project)) or "none"
        raise RegistryError(f"there is no unfinished retraining {name!r}; unfinished: {there}")
    way_out = "it cannot be continued; conservatory retrain --clean removes it"
    if not (project / FOLDER / name).is_dir():
        raise RegistryError(f"the worktree of retraining {name} is gone: {way_out}")
    return json_files.read(_plan(project, name), PLAN, way_out)


def waiting(project: Path) -> list[str]:
    """The unfinished retrainings, oldest first: interrupted, failed or running."""
    folder = project / FOLDER
    return (
        sorted({path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".json"})
        if folder.exists()
        else []
    )


def at_work(project: Path, name: str) -> bool:
    """Is it running? This takes the lock for a moment, which `held` waits for."""
    path = project / FOLDER / f"{name}.lock"
    if not path.exists():
        return False
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def remove(project: Path, name: str, branch: bool) -> None:
    """Remove a worktree, also a half-made one; with `branch`, its branch too."""
    path = project / FOLDER / name
    _plan(project, name).unlink(missing_ok=True)  # first: without it the retraining cannot be continued
    with _one_at_a_time(project):
        shutil.rmtree(path, ignore_errors=True)
        git.run(project, "worktree", "prune")
        if branch:
            git.run(project, "branch", "--quiet", "-D", BRANCH + name, check=False)
    (project / FOLDER / f"{name}.lock").unlink(missing_ok=True)


def take_away(project: Path, name: str, registered: Container[str]) -> None:
    """Remove a retraining, with its branch unless that has one of the commits `registered`. `RegistryError` if it is running."""
    with held(project, name):
        remove(project, name, branch=not holds(project, name, registered))


def holds(project: Path, name: str, registered: Container[str]) -> bool:
    """Would one of the commits `registered` be lost with the retraining's branch?"""
    branch = BRANCH + name
    others = ("--not", "HEAD", f"--exclude={branch}", "--branches", "--tags")
    done = git.run(project, "rev-list", f"refs/heads/{branch}", *others, check=False)
    return bool(done.returncode) or any(commit in registered for commit in done.stdout.split())


def failure(project: Path, name: str) -> str:
    """The stage of a retraining that failed last, and why; "" if none did."""
    runs = list(record.runs(record.read(project / FOLDER / name)).values())
    last = runs[-1] if runs else {}
    return f"{last.get('failed', '')} {last.get('reason', '')}".strip() if last.get("status") else ""


def has_remote(folder: Path) -> bool:
    """Has DVC a default remote to push to?"""
    return bool(config.read(folder).get("core", {}).get("remote"))


def share(project: Path, path: Path) -> None:
    """Configure the worktree's DVC with the project's cache and remotes, and share the project's downloads."""
    given = project / ".dvc" / "config.local"
    if given.exists():
        shutil.copyfile(given, path / ".dvc" / "config.local")
    folder = cache.folder(cache.of_project(project).absolute())
    remotes = {name: dict(remote) for name, remote in config.read(project).get("remote", {}).items()}
    # config.local may have the keys of a remote that the commit lacks: invalid until the url is added here
    with config.editing_local(path) as local:
        # links instead of copies: stages never edit in place
        local.setdefault("cache", {}).update({"dir": str(folder), "type": ["reflink", "hardlink", "symlink", "copy"]})
        for name, remote in remotes.items():  # a relative path is relative to the project's folder
            local.setdefault("remote", {}).setdefault(name, {})["url"] = str(remote["url"])
    (path / ".cache").mkdir(exist_ok=True)
    downloads = (project / ".cache" / "downloads").absolute()
    downloads.mkdir(parents=True, exist_ok=True)
    if not (path / ".cache" / "downloads").is_symlink():
        (path / ".cache" / "downloads").symlink_to(downloads)
    hashes = project / ".cache" / "hashes.json"
    if hashes.exists():
        shutil.copyfile(hashes, path / ".cache" / "hashes.json")


def _plan(project: Path, name: str) -> Path:
    return project / FOLDER / f"{name}.json"


@contextmanager
def _one_at_a_time(project: Path) -> Iterator[None]:
    """A lock: one process at a time may change git's list of worktrees."""
    with open(project / FOLDER / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
