"""Delete the bytes of withdrawn clips from a remote: only what registry/purged.json lists.

`withdrawn.py` decided what to purge. A file that this tree has named again since, or that is in its cache again, is kept. Others
who still have the files may push them again by `dvc push`; their `conservatory push` does not, once they have pulled purged.json
by git."""

from collections.abc import Callable
from pathlib import Path

from pipelines.ops.registry import cache_references, history
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.remotes import local_cache, remote_store, transfer
from pipelines.ops.remotes.remote_store import RemoteError
from pipelines.ops.retention.policy import row
from pipelines.ops.retention.withdrawn import contents

KIND = "remote"
AGAIN = "conservatory prune --withdrawn --yes"


def prune(project: Path, remote: str, really: bool, show: Callable, say: Callable = print) -> None:
    """Find, show, and with `really` delete, under the lock of the registry. `RemoteError` names the files that could not be
    deleted, and why. `RegistryError` if nothing was purged here, or the files that this tree needs are unknown."""
    from dvc.repo import Repo

    if not cache_references.purged(project):
        first = (
            f"run {AGAIN} here first, which decides what to delete"
            if contents(project)
            else "no clip was withdrawn here"
        )
        raise RegistryError(f"{cache_references.PURGED} lists no file to delete from a remote: {first}")
    with history.alone(project), Repo(str(project.absolute())) as repo:
        store = remote_store.open_remote(repo, remote)
        found, absent = find(project, repo, store)
        show(found)
        if absent:
            say(f"Not in {remote_store.address(store)}, already deleted or never pushed: {len(absent)} files")
            for name in absent:
                say(f"  {name}")
        if really:
            _remove(store, {each["md5"]: each["name"] for each in found if not each["kept"]})


def find(project: Path, repo, store) -> tuple[list[dict], list[str]]:
    """Rows of the purged files in a remote, with the reason for those kept; and the purged files that are not there."""
    purged, there = cache_references.purged(project), remote_store.sizes(store)
    used, unlisted = transfer.expanded(repo, store, there, cache_references.of_tree(repo))
    if unlisted:
        raise RegistryError(
            f"The files that this tree needs are unknown: the listing of {unlisted[0]} is missing here and in the remote. "
            "Nothing was deleted (run `conservatory pull` first)"
        )
    found, absent = [], []
    for md5, path in sorted(purged.items(), key=lambda pair: pair[1]):
        name = f"{path} ({md5[:8]})"
        if md5 not in there:
            absent.append(name)
            continue
        kept = f"it is {used[md5]} of this tree" if md5 in used else ""
        if not kept and local_cache.state(repo, md5) is not local_cache.ABSENT:
            kept = f"it is in DVC's cache here again: run {AGAIN} first"
        found.append(row(KIND, name, 0, there[md5], kept, md5=md5))
    return found, absent


def _remove(store, going: dict[str, str]) -> None:
    denied: dict[str, Exception] = {}

    def one(md5: str) -> None:
        try:
            remote_store.remove(store, md5)
        except FileNotFoundError:
            pass  # someone else has deleted it
        except PermissionError as error:  # of this file only
            denied[md5] = error

    failed = remote_store.each(going, one, "delete") | denied
    if failed:
        raise RemoteError(
            f"{len(failed)} of {len(going)} files could not be deleted from {remote_store.address(store)}: "
            f"{remote_store.reason(next(iter(failed.values())))}. They are still there: "
            f"{', '.join(going[md5] for md5 in failed)}. The same command continues."
        )
