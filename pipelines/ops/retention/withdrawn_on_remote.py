"""Delete the bytes of withdrawn clips from a remote: only what registry/purged.json lists.

What is purged was decided here (`withdrawn`), registered models or not; what this tree names again since, or has in its cache
again, stays. Others who still have the files can push them again: `conservatory push` of theirs does not, once they have pulled
purged.json by git, `dvc push` does.
"""

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
    """Find, show, and with `really` delete, under the lock of the registry. `RemoteError` names what could not be deleted, and
    why; what was deleted is. `RegistryError` where nothing was purged here, or it cannot be known what this tree needs."""
    from dvc.repo import Repo

    if not cache_references.purged(project):
        first = f"first {AGAIN} here, which decides what goes" if contents(project) else "no clip was withdrawn here"
        raise RegistryError(f"{cache_references.PURGED} names nothing to delete from a remote: {first}")
    with history.alone(project), Repo(str(project.absolute())) as repo:
        store = remote_store.open_remote(repo, remote)
        found, absent = find(project, repo, store)
        show(found)
        if absent:
            say(f"Not in {remote_store.address(store)}, deleted already or never pushed: {len(absent)} files")
            for name in absent:
                say(f"  {name}")
        if really:
            _remove(store, {each["md5"]: each["name"] for each in found if not each["kept"]})


def find(project: Path, repo, store) -> tuple[list[dict], list[str]]:
    """Rows of what is purged and lies in a remote, those that stay with the reason; and what is not there."""
    purged, there = cache_references.purged(project), remote_store.sizes(store)
    used, unlisted = transfer.expanded(repo, store, there, cache_references.of_tree(repo))
    if unlisted:
        raise RegistryError(
            f"It cannot be known what this tree needs: the listing of {unlisted[0]} is neither here nor there. "
            "Nothing was deleted (`conservatory pull` first)"
        )
    found, absent = [], []
    for md5, path in sorted(purged.items(), key=lambda pair: pair[1]):
        name = f"{path} ({md5[:8]})"
        if md5 not in there:
            absent.append(name)
            continue
        kept = f"{used[md5]} of this tree is it" if md5 in used else ""
        if not kept and local_cache.state(repo, md5) is not local_cache.ABSENT:
            kept = f"it is in DVC's cache here again: first {AGAIN}"
        found.append(row(KIND, name, 0, there[md5], kept, md5=md5))
    return found, absent


def _remove(store, going: dict[str, str]) -> None:
    denied: dict[str, Exception] = {}

    def one(md5: str) -> None:
        try:
            remote_store.remove(store, md5)
        except FileNotFoundError:
            pass  # somebody was quicker
        except PermissionError as error:  # of this file: others may go
            denied[md5] = error

    failed = remote_store.each(going, one, "delete") | denied
    if failed:
        raise RemoteError(
            f"{len(failed)} of {len(going)} files could not be deleted from {remote_store.address(store)}: "
            f"{remote_store.reason(next(iter(failed.values())))}. They are still there: "
            f"{', '.join(going[md5] for md5 in failed)}. The same command goes on from here."
        )
