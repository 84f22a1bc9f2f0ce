"""A git worktree for each retraining, in `.cache/retrain/<id>` on a branch `retrain/<id>`. It shares the project's DVC cache; the
user's tree and other retrainings are not touched.

`<id>.json` beside it says that it is complete and what it is for; `<id>.lock` is held while a process works in it, so that one
that was killed and one that is at work can be told apart.
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
from pipelines.ops.registry import git, json_files
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.runs import record

FOLDER = Path(".cache/retrain")
BRANCH = "retrain/"
PLAN = Schema({"base": json_files.COMMIT, "changes": [str], "stages": [str]}, required=True, extra=ALLOW_EXTRA)


def new_id() -> str:
    """For instance 20261121T214000Z-3fa9: sorts by time, and two that begin in one second differ."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


@contextmanager
def held(project: Path, name: str) -> Iterator[IO]:
    """Work on a retraining alone. `RegistryError` if a process does already. Yields the open lock; who inherits it holds it."""
    folder = project / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w") as file:
        for patience in (0.2, 0.0):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not patience:
                    numbers = ", ".join(map(str, _holders(Path(file.name)))) or "of another user, or another machine"
                    raise RegistryError(
                        f"retraining {name} is at work in another process ({numbers}); nothing was done to it. Wait for its "
                        "end, or end it"
                    ) from None
                time.sleep(patience)  # it may be somebody who only asks
        yield file


def _holders(lock: Path) -> list[int]:
    """Who has a lock's file open, we apart: who works on it, also after the one who took the lock was killed."""
    found, path = [], str(lock.absolute())
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it ended meanwhile, or is another user's
            if process.pid != os.getpid() and any(file.path == path for file in process.open_files()):
                found.append(process.pid)
    return found


def create(project: Path, name: str, revision: str, plan: dict) -> Path:
    """Make the worktree at a revision. Raises `RegistryError` outside git, or where the project is not the repository's root."""
    base = git.commit_id(project, revision)
    if inside := git.run(project, "rev-parse", "--show-prefix").stdout.strip():
        raise RegistryError(
            f"the project is the folder {inside} of a git repository; a retraining needs it at the root"
        )
    path = project / FOLDER / name
    with _one_at_a_time(project):
        git.run(project, "worktree", "add", "--quiet", "-b", BRANCH + name, str(path.absolute()), base)
    share(project, path)
    write_json(_plan(project, name), {"base": base, **plan})
    return path


def plan(project: Path, name: str) -> dict:
    """What a retraining was begun with: base (a commit), changes and stages. `RegistryError` where there is none of that name, it
    never was set up, or that cannot be read."""
    if not _plan(project, name).exists():
        there = ", ".join(waiting(project)) or "none"
        raise RegistryError(f"there is no retraining {name!r} to go on with; there is {there}")
    way_out = "it cannot be gone on with; conservatory retrain --clean takes it away"
    if not (project / FOLDER / name).is_dir():
        raise RegistryError(f"the worktree of retraining {name} is gone: {way_out}")
    return json_files.read(_plan(project, name), PLAN, way_out)


def waiting(project: Path) -> list[str]:
    """The retrainings that have not ended, the oldest first: interrupted, failed or at work."""
    folder = project / FOLDER
    return (
        sorted({path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".json"})
        if folder.exists()
        else []
    )


def at_work(project: Path, name: str) -> bool:
    """Does a process work on it now? Asking takes the lock for a moment, which `held` outwaits."""
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
    """Take a worktree away, with `branch` its branch too; half of one, as a kill may leave it, as well."""
    path = project / FOLDER / name
    _plan(project, name).unlink(missing_ok=True)  # first: from here on there is nothing to go on with
    with _one_at_a_time(project):
        shutil.rmtree(path, ignore_errors=True)
        git.run(project, "worktree", "prune")
        if branch:
            git.run(project, "branch", "--quiet", "-D", BRANCH + name, check=False)
    (project / FOLDER / f"{name}.lock").unlink(missing_ok=True)


def take_away(project: Path, name: str, registered: Container[str]) -> None:
    """Remove what a retraining left, its branch too unless that holds one of the commits `registered`. `RegistryError` if it is
    at work."""
    with held(project, name):
        remove(project, name, branch=not holds(project, name, registered))


def holds(project: Path, name: str, registered: Container[str]) -> bool:
    """Would one of the commits `registered` be lost with the retraining's branch?"""
    branch = BRANCH + name
    others = ("--not", "HEAD", f"--exclude={branch}", "--branches", "--tags")
    done = git.run(project, "rev-list", f"refs/heads/{branch}", *others, check=False)
    return bool(done.returncode) or any(commit in registered for commit in done.stdout.split())


def failure(project: Path, name: str) -> str:
    """Which stage of a retraining failed last, and why; "" where none did."""
    runs = list(record.runs(record.read(project / FOLDER / name)).values())
    last = runs[-1] if runs else {}
    return f"{last.get('failed', '')} {last.get('reason', '')}".strip() if last.get("status") else ""


def has_remote(folder: Path) -> bool:
    """Has DVC a default remote to push to?"""
    return bool(_config(folder).get("core", {}).get("remote"))


def share(project: Path, path: Path) -> None:
    """Point the worktree's DVC at the project's cache and remotes, and let it find what was downloaded before."""
    from dvc.config import Config
    from dvc.repo import Repo

    given = project / ".dvc" / "config.local"
    if given.exists():
        shutil.copyfile(given, path / ".dvc" / "config.local")
    cache = Path(Repo(str(project.absolute())).cache.local.path).absolute().parents[1]  # <cache.dir>/files/md5
    remotes = {name: dict(remote) for name, remote in _config(project).get("remote", {}).items()}
    # the commit may lack a remote of which config.local has the keys: not valid before the url is in it
    with Config(str((path / ".dvc").absolute()), validate=False).edit("local") as local:
        # links, not copies, of what the project has already: stages never edit in place
        local.setdefault("cache", {}).update({"dir": str(cache), "type": ["reflink", "hardlink", "symlink", "copy"]})
        for name, remote in remotes.items():  # a relative path is meant from the project's folder
            local.setdefault("remote", {}).setdefault(name, {})["url"] = str(remote["url"])
    (path / ".cache").mkdir(exist_ok=True)
    downloads = (project / ".cache" / "downloads").absolute()
    downloads.mkdir(parents=True, exist_ok=True)
    if not (path / ".cache" / "downloads").is_symlink():
        (path / ".cache" / "downloads").symlink_to(downloads)
    hashes = project / ".cache" / "hashes.json"
    if hashes.exists():
        shutil.copyfile(hashes, path / ".cache" / "hashes.json")


def _config(folder: Path) -> dict:
    from dvc.config import Config

    return Config(str((folder / ".dvc").absolute()))


def _plan(project: Path, name: str) -> Path:
    return project / FOLDER / f"{name}.json"


@contextmanager
def _one_at_a_time(project: Path) -> Iterator[None]:
    """git's list of worktrees is changed by one process at a time."""
    with open(project / FOLDER / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
