"""Push the files that the remote lacks and pull those that the cache lacks, with every file hashed in transit.

`wanted` is hash -> path in the project of outputs; a folder (.dir) means the files in it. After an error, files that were
transferred stay, and the same command transfers the rest.
"""

from collections.abc import Callable, Container, Iterable

from pipelines.harness.progress import progress
from pipelines.ops.patches.cache import protect
from pipelines.ops.remotes import local_cache, remote_store
from pipelines.ops.remotes.local_cache import ABSENT, DAMAGED, SOUND
from pipelines.ops.remotes.remote_store import Damaged, RemoteError

FEW = 5  # files named in a message
AGAIN = "conservatory run"


def push(
    repo,
    wanted: dict[str, str],
    remote: str = "",
    thorough: bool = False,
    purged: Container[str] = (),
    again: Iterable[str] = (),
    say: Callable = print,
) -> int:
    """Push all files of `wanted` that the remote lacks, and return how many were pushed.

    purged: files not to push, unless they are in the outputs `again` (a withdrawn clip was admitted again). thorough: also read
    and hash the files in the remote, and push damaged ones again. `RemoteError` names the files that are not there now, and why.
    """
    store = remote_store.open_remote(repo, remote)
    there = remote_store.sizes(store)
    files, unlisted = expanded(repo, store, there, wanted)
    files, aside = _without(repo, files, purged, again)
    lacking = _look(repo, files, thorough, say)
    todo = [md5 for md5 in files if md5 not in lacking and there.get(md5) != local_cache.path(repo, md5).stat().st_size]
    nowhere = [md5 for md5 in lacking if md5 not in there]
    rotten = _read(store, [md5 for md5 in files if md5 in there and md5 not in todo]) if thorough else []
    todo += [md5 for md5 in rotten if md5 not in lacking]

    def one(md5: str) -> None:
        if local_cache.digest(local_cache.path(repo, md5)) != md5.partition(".")[0]:
            raise Damaged(md5)
        remote_store.put(store, md5, local_cache.path(repo, md5))

    failed = remote_store.each([md5 for md5 in todo if not md5.endswith(".dir")], one, "push")
    bad = {*failed, *nowhere, *(md5 for md5 in rotten if md5 in lacking)}
    # DVC takes a listing as proof that its files are there: it is pushed last, and only if they are
    folders = [md5 for md5 in todo if md5.endswith(".dir") and bad.isdisjoint(local_cache.entries(repo, md5).values())]
    failed |= remote_store.each(folders, one, "push folders")
    damaged = [md5 for md5, error in failed.items() if isinstance(error, Damaged)]  # damaged since it was checked
    for md5 in damaged:
        del failed[md5]
        local_cache.put_aside(repo, md5, files[md5])
    arrived = remote_store.sizes(store) if todo else there
    pushed = [
        md5 for md5 in todo if md5 not in failed and md5 not in damaged and (md5 in folders or md5[32:] != ".dir")
    ]
    _complain(
        f"{remote_store.address(store)} is incomplete: of {len(todo)} files that it lacked, {len(pushed)} were pushed",
        {
            f"{len(failed)} files failed: {_why(failed, remote_store.reason)}": failed,
            f"missing here and in the remote: {_named(nowhere, files)} (`{AGAIN}` makes those of this tree again)": nowhere,
            f"damaged in DVC's cache while they were pushed: {_named(damaged, files)}": damaged,
            f"folders whose listing is missing here and in the remote: {', '.join(unlisted[:FEW])}": unlisted,
            f"damaged there and missing here: {_named(rotten, files)}": [md5 for md5 in rotten if md5 in lacking],
            "disappeared after they were pushed": [md5 for md5 in pushed if md5 not in arrived],
        },
    )
    say(
        f"{remote_store.address(store)}: {len(pushed)} files pushed, {len(files) - len(pushed)} there already{_aside(aside)}."
    )
    return len(pushed)


def pull(
    repo,
    wanted: dict[str, str],
    remote: str = "",
    thorough: bool = False,
    purged: Container[str] = (),
    again: Iterable[str] = (),
    say: Callable = print,
) -> int:
    """Fetch all files of `wanted` that the cache lacks or has damaged, and return how many were fetched. purged, again: as in
    `push`.

    `RemoteError` names the files that are still missing, and why; no damaged file stays in the cache.
    """
    store = remote_store.open_remote(repo, remote)
    there = remote_store.sizes(store)
    files, unlisted = expanded(repo, store, there, wanted)
    files, aside = _without(repo, files, purged, again)
    todo = _look(repo, files, thorough, say)
    nowhere = [md5 for md5 in todo if md5 not in there]
    failed = fetch(repo, store, [md5 for md5 in todo if md5 in there])
    rotten = [md5 for md5, error in failed.items() if isinstance(error, Damaged)]
    other = {md5: error for md5, error in failed.items() if md5 not in rotten}
    came = len(todo) - len(nowhere) - len(failed)
    _complain(
        f"Not everything came from {remote_store.address(store)}: of {len(todo)} files missing here, {came} were fetched",
        {
            f"{len(other)} files failed: {_why(other, remote_store.reason_here)}": other,
            f"missing there: {_named(nowhere, files)} (run `conservatory push` where they were made, or `{AGAIN}` here)": nowhere,
            f"folders whose listing is missing there: {', '.join(unlisted[:FEW])}": unlisted,
            f"damaged there: {_named(rotten, files)} (run `conservatory push --verify` where they were made)": rotten,
        },
    )
    say(f"{remote_store.address(store)}: {came} files fetched, {len(files) - came} were here already{_aside(aside)}.")
    return came


def fetch(repo, store, wanted: Iterable[str]) -> dict[str, Exception]:
    """Fetch files into the cache, and return the errors. A file with another hash than its name is not kept."""

    def one(md5: str) -> None:
        target = local_cache.path(repo, md5)
        remote_store.get(store, md5, target)
        protect(repo, md5)

    return remote_store.each(wanted, one, "pull")


def _without(repo, files: dict[str, str], purged: Container[str], again: Iterable[str]) -> tuple[dict[str, str], int]:
    """The files to transfer: those not purged, and those of the outputs `again`; and how many others there are."""
    made = set(again) if purged else set()
    for folder in [md5 for md5 in made if md5.endswith(".dir")]:
        made |= set((local_cache.entries(repo, folder) or {}).values())
    left = {md5: what for md5, what in files.items() if md5 not in purged or md5 in made}
    return left, len(files) - len(left)


def _aside(count: int) -> str:
    return f", {count} skipped because they contain withdrawn clips" if count else ""


def _look(repo, files: dict[str, str], thorough: bool, say: Callable) -> list[str]:
    """The files that the cache lacks. A damaged file is moved aside, and restored from the project's file if that has its
    hash."""
    damaged, lacking = [], []
    for md5, what in progress(files.items(), "look", unit="file"):
        state = local_cache.state(repo, md5, thorough)
        if state is DAMAGED:
            damaged.append(md5)
            local_cache.put_aside(repo, md5, what)
        if state is not SOUND and not local_cache.restore(repo, md5, what):
            lacking.append(md5)
    if damaged:
        say(f"Damaged in DVC's cache and moved to {local_cache.ASIDE}: {_named(damaged, files)}")
    return lacking


def _read(store, there: list[str]) -> list[str]:
    """The files that are damaged in the remote. `RemoteError` if it cannot be read."""
    failed = remote_store.each(there, lambda md5: remote_store.check(store, md5), "read the remote")
    if other := [error for error in failed.values() if not isinstance(error, Damaged)]:
        raise RemoteError(f"{remote_store.address(store)} cannot be read: {remote_store.reason(other[0])}")
    return list(failed)


def expanded(repo, store, there: dict[str, int], wanted: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """`wanted` and the files of its folders, each hash once; and the folders whose listing is missing here and in the remote."""
    folders, files, unlisted = [md5 for md5 in wanted if md5.endswith(".dir")], {}, []
    for md5 in folders:
        if local_cache.state(repo, md5, thorough=True) is DAMAGED:
            local_cache.path(repo, md5).unlink()
        if local_cache.state(repo, md5) is ABSENT:
            local_cache.relist(repo, md5, wanted[md5])
    failed = fetch(repo, store, [md5 for md5 in folders if md5 in there and local_cache.state(repo, md5) is ABSENT])
    if errors := [error for error in failed.values() if not isinstance(error, Damaged)]:
        raise RemoteError(f"{remote_store.address(store)} cannot be read: {remote_store.reason_here(errors[0])}")
    for md5, what in wanted.items():
        inside = local_cache.entries(repo, md5) if md5 in folders else {}
        if inside is None:
            unlisted.append(what)
            continue
        files.setdefault(md5, what)
        for name, each in inside.items():
            files.setdefault(each, f"{what}/{name}")
    return files, unlisted


def _complain(summary: str, problems: dict[str, object]) -> None:
    if found := [text for text, those in problems.items() if those]:
        raise RemoteError(
            f"{summary}. {'. '.join(found)}. Files already transferred are kept; the same command continues."
        )


def _why(failed: dict[str, Exception], words: Callable[[Exception], str]) -> str:
    return words(next(iter(failed.values()))) if failed else ""


def _named(hashes: list[str], files: dict[str, str]) -> str:
    named = ", ".join(f"{files[md5]} ({md5[:8]})" for md5 in hashes[:FEW])
    return f"{len(hashes)} files, {named}" + (f" and {len(hashes) - FEW} more" if len(hashes) > FEW else "")
