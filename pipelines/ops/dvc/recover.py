"""Clean up after a crashed run so that `dvc repro` can start.

A killed DVC leaves its entries in .dvc/tmp/rwlock, and may leave half of that file or of dvc.lock, since it writes both in place.
A changed recipe leaves outputs of stages that no longer exist. A faulty disk, or a program that wrote into an output that is a
link to DVC's cache, leaves a damaged file in the cache.

No result is lost: outputs of finished stages are restored from DVC's cache, the others are made again.
"""

import contextlib
import json
import os
import re
import shutil
import time
from pathlib import Path

import psutil
import yaml
from voluptuous import Invalid

from pipelines import recipe
from pipelines.core.files import atomic
from pipelines.ops.patches import cache, lock_schema, locks, resolver

LOCK = Path("dvc.lock")
CACHE = Path(".dvc/cache")
KNOWN = (
    "looked-at"  # a file in DVC's cache: the time up to which its files were checked, for all projects that share it
)
CONFLICT = re.compile(rb"^(<<<<<<<|=======|>>>>>>>)", re.MULTILINE)
SETTLED = 2.0  # seconds; a file that stays unreadable for so long is not being written but damaged


class Conflict(ValueError):
    """dvc.lock contains both sides of a merge; the message says what to do."""


def recover(project: Path = Path(), say=print) -> None:
    """Remove what would stop `dvc repro` in `project`, and say what was removed. Files of a running DVC are left alone.

    Raises `Conflict` for a dvc.lock with both sides of a merge: only the user knows which one is right.
    """
    unmerged(project)
    if unreadable(project):
        aside = project / "dvc.lock.spoilt"
        (project / LOCK).replace(aside)
        say(
            f"dvc.lock was incomplete and was renamed to {aside.name}: finished stages will be restored from DVC's cache"
        )
    clear(project, say)


def clear(project: Path = Path(), say=print) -> None:
    """The same for all but dvc.lock: locks of a killed DVC, empty folders of the run cache, damaged files of the cache."""
    path = project / locks.RWLOCK
    if damaged(path, json.loads):
        path.unlink()
        say(f"{locks.RWLOCK} was incomplete and was removed: no file is locked")
    elif path.exists() and (dead := {pid for pid in locks.dvc_processes(path.read_text()) if not alive(pid)}):
        locks.release(path, dead)
        say(f"released the locks of a killed DVC (process {', '.join(map(str, sorted(dead)))})")
    for run in forgotten(project):
        run.rmdir()
        say(f"removed the empty folder {run}: DVC was killed, or the disk was full, before it wrote the run into it")
    for damaged_copy in distrust(project):
        say(f"removed the damaged file {damaged_copy} from DVC's cache: it will be made again, or pulled")


def unmerged(project: Path = Path()) -> None:
    """Raise `Conflict` if a merge has left both sides, or two entries of one stage, in dvc.lock."""
    path = project / LOCK
    content = path.read_bytes() if path.exists() else b""
    if doubled := recipe.doubled(content.decode("utf-8", "replace")):
        raise Conflict(
            f"dvc.lock has two entries of {', '.join(doubled)}, perhaps after a merge. Delete one of them, or take one side, "
            "`git checkout --ours dvc.lock` or `--theirs`; the next run makes what is missing."
        )
    if CONFLICT.search(content):
        raise Conflict(
            "dvc.lock contains both sides of a merge (<<<<<<<). Take one, `git checkout --ours dvc.lock` or `--theirs`, then "
            "`git add dvc.lock`; the next run makes what is missing."
        )


def unreadable(project: Path = Path()) -> bool:
    """Would DVC refuse dvc.lock, and not because it is being written?"""
    return damaged(project / LOCK, _locked)


def forgotten(project: Path = Path()) -> list[Path]:
    """Empty folders of DVC's run cache in which no DVC is about to write. DVC would fail at one."""

    def empty() -> set[Path]:
        return {folder for folder in cache.runs(project / CACHE) if not any(folder.iterdir())}

    found = empty()
    if found:
        time.sleep(SETTLED)
    return sorted(found & empty())


def distrust(project: Path = Path()) -> list[str]:
    """Remove files from DVC's cache whose content has another hash than their name. Returns their paths.

    DVC trusts a write-protected file of its cache, and would restore it. Only files changed since the last check are checked, and
    of these only those that DVC has not hashed since are read: for most of a large cache, only the times are compared.
    """
    if not (project / LOCK).exists():
        return []
    from dvc.repo import Repo  # a second to import

    with Repo(str(project)) as repo:
        files, gone = cache.files(repo), []
        mark = cache.folder(files) / KNOWN
        newest = known = _known(mark)
        for path in files.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):  # another DVC has removed it
                before = path.stat()
                if before.st_ctime_ns <= known or path.name.endswith(".tmp"):
                    continue
                newest = max(newest, before.st_ctime_ns)
                if cache.remove_if_damaged(repo, path.parent.name + path.name):
                    gone.append(str(path))
                    continue
                after = path.stat()  # protecting it against writing changes ctime too
                if (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size):
                    newest = max(newest, after.st_ctime_ns)
    with contextlib.suppress(OSError):  # a full disk or a read-only cache: all files are checked again next time
        if newest > known:
            with atomic(mark) as new:
                new.write_text(str(newest))
    return gone


def _known(path: Path) -> int:
    """The time up to which the cache was checked, as the ctime of a file in it; 0 if never or unknown."""
    try:
        known = int(path.read_text())
    except (OSError, ValueError):
        return 0
    return known if known <= time.time_ns() else 0  # not if the clock was set back


def forget(project: Path = Path(), say=print) -> list[str]:
    """Remove the outputs of stages that are no longer in the recipe (of a removed dataset, a renamed tagger), and their entries
    in dvc.lock. Returns the names of these stages.

    The outputs would be read as part of folders by later stages. DVC's cache keeps them: if the entry returns to params.yaml,
    they are restored and not computed again."""
    path = project / LOCK
    if not path.exists():
        return []
    from pipelines.ops.dvc import lock  # a second to import

    resolved = resolver.resolver(project)
    if set(lock.names(path.read_text(encoding="utf-8"))) <= set(resolved.get_keys()):
        return []
    living = resolved.resolve()["stages"]
    kept = {out for entry in living.values() for out in recipe.paths(entry, *recipe.OUTS)}
    locked = recipe.parse_lock(path.read_text(encoding="utf-8"))
    gone = {name: entry for name, entry in locked.items() if name not in living}
    for out in {out["path"] for entry in gone.values() for out in entry.get("outs", [])} - kept:
        if (project / out).is_dir():
            shutil.rmtree(project / out)
        else:
            (project / out).unlink(missing_ok=True)
    if gone:
        with locks.repository(project), atomic(path) as new:
            new.write_text(lock.without(path.read_text(encoding="utf-8"), gone), encoding="utf-8")
        say(
            f"removed outputs of stages that are no longer in the recipe (DVC's cache keeps them): {', '.join(sorted(gone))}"
        )
    return sorted(gone)


def damaged(path: Path, parse) -> bool:
    """Does `parse` fail for the text at `path`, and still after a writer has had time to finish?"""
    until = time.monotonic() + SETTLED
    while path.exists():
        try:
            parse(path.read_text(encoding="utf-8"))
            return False
        except (ValueError, yaml.YAMLError, Invalid):
            if time.monotonic() > until:
                return True
            time.sleep(0.1)
    return False


def alive(pid: int) -> bool:
    """Is process `pid` a running DVC? Not a zombie (DVC itself takes it for alive, and in containers where nothing waits for
    orphans would be locked out for ever), nor another process that got its number later."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any("dvc" in part for part in process.cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def at_work(project: Path = Path()) -> list[psutil.Process]:
    """The processes that run stages in `project`: each `dvc repro`, and stages, which continue if their DVC is killed. Not this
    process and its children."""
    found, here = [], project.resolve()
    mine = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = process.cmdline()
            runs = any("pipelines.stages." in word for word in words) or (
                "repro" in words and "dvc" in " ".join(words[:3])
            )
            if runs and process.pid not in mine and Path(process.cwd()) == here:
                found.append(process)
    return found


def _locked(text: str) -> None:
    """Raise unless `text` is a dvc.lock that DVC accepts and that ends with a complete line."""
    if not text.endswith("\n"):
        raise ValueError("cut off")
    try:
        for part in recipe.apart(text):
            lock_schema.validate(part)
    except yaml.YAMLError:  # an alias may point into another part
        lock_schema.validate(text)
