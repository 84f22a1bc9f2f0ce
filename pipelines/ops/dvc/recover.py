"""Clean up after a crashed run so that `dvc repro` can start.

A killed one leaves a record of who reads and writes what (.dvc/tmp/rwlock), and may leave half of that or of dvc.lock, since
DVC writes both in place. A changed recipe leaves what it no longer makes. A disk that forgot, or a program that wrote into an
output which is one file with its copy in DVC's cache, leaves a cache that is not what it says.

Nothing is lost by it: outputs of finished stages come back from DVC's cache, the others are made again.
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
KNOWN = "looked-at"  # beside DVC's cache, whoever shares it: the time up to which its files have been looked at
CONFLICT = re.compile(rb"^(<<<<<<<|=======|>>>>>>>)", re.MULTILINE)
SETTLED = 2.0  # seconds; a file that cannot be read for so long is not being written, it is spoilt


class Conflict(ValueError):
    """dvc.lock holds both sides of a merge; the message says what to do."""


def recover(project: Path = Path(), say=print) -> None:
    """Remove what stands in the way of `dvc repro` in `project`, and say what. Leaves alone what a living DVC wrote.

    Raises `Conflict` for a dvc.lock in the middle of a merge: which side is meant only its user knows.
    """
    unmerged(project)
    if unreadable(project):
        aside = project / "dvc.lock.spoilt"
        (project / LOCK).replace(aside)
        say(f"dvc.lock was cut off in the middle and is now {aside.name}: finished stages are taken from DVC's cache")
    clear(project, say)


def clear(project: Path = Path(), say=print) -> None:
    """The same beside dvc.lock: what a killed DVC had locked, half a memory of a run, what is spoilt in the cache."""
    path = project / locks.RWLOCK
    if spoilt(path, json.loads):
        path.unlink()
        say(f"{locks.RWLOCK} was cut off in the middle and is removed: nothing is locked")
    elif path.exists() and (dead := {pid for pid in locks.dvc_processes(path.read_text()) if not alive(pid)}):
        locks.release(path, dead)
        say(f"released what a killed DVC had locked (process {', '.join(map(str, sorted(dead)))})")
    for run in forgotten(project):
        run.rmdir()
        say(f"{run} held no run: DVC was killed, or its disk full, before it could write that down; removed")
    for spoilt_copy in distrust(project):
        say(f"{spoilt_copy} in DVC's cache was not what it should be and is removed: it is made again, or pulled")


def unmerged(project: Path = Path()) -> None:
    """Raise `Conflict` if git has left both sides of a merge in dvc.lock, or a merge two entries of one stage."""
    path = project / LOCK
    content = path.read_bytes() if path.exists() else b""
    if doubled := recipe.doubled(content.decode("utf-8", "replace")):
        raise Conflict(
            f"dvc.lock has two entries of {', '.join(doubled)}, as a merge may leave it. Delete one of them, or take one side, "
            "`git checkout --ours dvc.lock` or `--theirs`; the next run makes what is lacking."
        )
    if CONFLICT.search(content):
        raise Conflict(
            "dvc.lock holds both sides of a merge (<<<<<<<). Take one, `git checkout --ours dvc.lock` or `--theirs`, then "
            "`git add dvc.lock`; the next run makes what the other side's stages lack."
        )


def unreadable(project: Path = Path()) -> bool:
    """Is dvc.lock nothing that DVC would take, and not because it is being written?"""
    return spoilt(project / LOCK, _locked)


def forgotten(project: Path = Path()) -> list[Path]:
    """Folders of DVC's memory of runs that are empty, and not because a DVC is about to write there. It would end at one."""

    def empty() -> set[Path]:
        return {folder for folder in cache.runs(project / CACHE) if not any(folder.iterdir())}

    found = empty()
    if found:
        time.sleep(SETTLED)
    return sorted(found & empty())


def distrust(project: Path = Path()) -> list[str]:
    """Remove from DVC's cache what is no longer the bytes of its name. Returns the paths.

    DVC takes a write-protected file of its cache for right, and would restore it. Looked at is what was touched since the last
    time, and of that read what DVC has not hashed since: a large cache costs a glance at its names.
    """
    if not (project / LOCK).exists():
        return []
    from dvc.repo import Repo  # a second to import

    with Repo(str(project)) as repo:
        files, gone = cache.files(repo), []
        mark = cache.folder(files) / KNOWN
        newest = known = _known(mark)
        for path in files.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):  # another DVC was here
                before = path.stat()
                if before.st_ctime_ns <= known or path.name.endswith(".tmp"):
                    continue
                newest = max(newest, before.st_ctime_ns)
                if cache.remove_if_damaged(repo, path.parent.name + path.name):
                    gone.append(str(path))
                    continue
                after = path.stat()  # it was write-protected, which changes this time too
                if (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size):
                    newest = max(newest, after.st_ctime_ns)
    with contextlib.suppress(OSError):  # a full disk, or a cache that may only be read: all is looked at again
        if newest > known:
            with atomic(mark) as new:
                new.write_text(str(newest))
    return gone


def _known(path: Path) -> int:
    """When the cache was last looked at, as the newest time of a file in it; 0: never, or it is not known."""
    try:
        known = int(path.read_text())
    except (OSError, ValueError):
        return 0
    return known if known <= time.time_ns() else 0  # the clock was put back


def forget(project: Path = Path(), say=print) -> list[str]:
    """Take from dvc.lock, and from the project's folder, what stages made that the recipe no longer has: a dataset that was
    removed, a tagger that was renamed. Returns those stages' names.

    Left lying there it would be part of the folders that later stages read. DVC's cache keeps it: with the entry back in
    params.yaml it is restored and not computed again.
    """
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
        say(f"put away what the recipe no longer makes (DVC's cache keeps it): {', '.join(sorted(gone))}")
    return sorted(gone)


def spoilt(path: Path, parse) -> bool:
    """Can `parse` not read the text at `path`, and still not when a writer has had time to finish?"""
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
    """Is process `pid` a DVC at work? Not one that is dead and not yet waited for (DVC takes it for alive, and where
    nothing waits for orphans, as in many containers, would be locked out for good), nor another that got its number.
    """
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any("dvc" in part for part in process.cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def at_work(project: Path = Path()) -> list[psutil.Process]:
    """Who runs stages in `project`: a `dvc repro`, and stages, which go on when their DVC is killed. This process's own are
    not counted."""
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
    """Raise unless `text` is a dvc.lock that DVC would take, and whole: its last line ends."""
    if not text.endswith("\n"):
        raise ValueError("cut off")
    try:
        for part in recipe.apart(text):
            lock_schema.validate(part)
    except yaml.YAMLError:  # an alias may point into another part
        lock_schema.validate(text)
