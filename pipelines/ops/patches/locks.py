"""DVC's locks: the files a running DVC reads and writes (.dvc/tmp/rwlock), and the lock of the repository (.dvc/tmp/lock).

Uses: the layout of .dvc/tmp/rwlock, `{"write": {path: {"pid", "cmd"}}, "read": {path: [{"pid", "cmd"}]}}`; `dvc.lock.make_lock`.

Why: a killed DVC leaves its entries in rwlock. DVC removes them later only if no process has that process id, so a zombie or an
unrelated process with the same id blocks every later run. `dvc_processes` and `release` find and remove the entries of dead
processes. Code that edits rwlock or dvc.lock holds the same lock as DVC does.

Written for: dvc 3.67.1

Without it: after a kill, a run may end with "... is busy, it is being blocked by", until the user deletes .dvc/tmp/rwlock.
"""

import json
from contextlib import AbstractContextManager
from pathlib import Path

from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"
RWLOCK = Path(".dvc/tmp/rwlock")
REPOSITORY = Path(".dvc/tmp/lock")


def dvc_processes(text: str) -> set[int]:
    """The ids of the processes in the text of a .dvc/tmp/rwlock. Raises `ValueError` if it is not JSON."""
    locks = json.loads(text)
    writers = locks.get("write", {}).values()
    readers = (info for infos in locks.get("read", {}).values() for info in infos)
    return {info["pid"] for info in (*writers, *readers)}


def release(path: Path, dead: set[int]) -> None:
    """Remove the entries of the processes `dead` from the rwlock at `path`."""
    from dvc.lock import make_lock  # a second to import, seldom needed

    fits("dvc", VERSION, "what a killed DVC had locked may stay locked")
    with make_lock(str(path.with_name("rwlock.lock")), tmp_dir=str(path.parent)):
        locks = json.loads(path.read_text())
        write = {file: info for file, info in locks.get("write", {}).items() if info["pid"] not in dead}
        read = {
            file: [info for info in infos if info["pid"] not in dead] for file, infos in locks.get("read", {}).items()
        }
        path.write_text(json.dumps({"write": write, "read": {file: infos for file, infos in read.items() if infos}}))


def repository(project: Path) -> AbstractContextManager:
    """The lock that DVC holds while it writes dvc.lock; waits until it is free."""
    from dvc.lock import make_lock

    path = project / REPOSITORY
    return make_lock(str(path), tmp_dir=str(path.parent), wait=True)
