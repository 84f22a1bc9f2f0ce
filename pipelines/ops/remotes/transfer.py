"""Push the files that the remote lacks and pull those that the cache lacks, with every file hashed in transit.

`wanted` is hash -> path, in the project, of outputs; a folder (.dir) stands for the files in it. Whatever fails, what was carried
stays, and the same command goes on from there.
"""

from collections.abc import Callable, Container, Iterable

from pipelines.harness.progress import progress
from pipelines.ops.patches.cache import protect
from pipelines.ops.remotes import local_cache, remote_store
from pipelines.ops.remotes.local_cache import ABSENT, SOUND, SPOILT
from pipelines.ops.remotes.remote_store import RemoteError, Spoilt

FEW = 5  # files that a message names
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
    """Bring all of `wanted` to the remote but what is `purged`, unless the outputs `again` have it, a withdrawn clip having been
    let in again. Returns how many files were pushed. With `thorough`, what lies there already is read and hashed too, and pushed
    again if it is spoilt. `RemoteError` names what is not there now, and why."""
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
            raise Spoilt(md5)
        remote_store.put(store, md5, local_cache.path(repo, md5))

    failed = remote_store.each([md5 for md5 in todo if not md5.endswith(".dir")], one, "push")
    bad = {*failed, *nowhere, *(md5 for md5 in rotten if md5 in lacking)}
    # a listing says to DVC that the files in it are there: it goes last, and only if they are
    folders = [md5 for md5 in todo if md5.endswith(".dir") and bad.isdisjoint(local_cache.entries(repo, md5).values())]
    failed |= remote_store.each(folders, one, "push folders")
    spoilt = [md5 for md5, error in failed.items() if isinstance(error, Spoilt)]  # since it was looked at
    for md5 in spoilt:
        del failed[md5]
        local_cache.put_aside(repo, md5, files[md5])
    arrived = remote_store.sizes(store) if todo else there
    pushed = [md5 for md5 in todo if md5 not in failed and md5 not in spoilt and (md5 in folders or md5[32:] != ".dir")]
    _complain(
        f"Not all is in {remote_store.address(store)}: of {len(todo)} files that it lacked, {len(pushed)} were pushed",
        {
            f"{len(failed)} files were not: {_why(failed, remote_store.reason)}": failed,
            f"neither here nor there: {_named(nowhere, files)} (`{AGAIN}` makes again what this tree needs)": nowhere,
            f"spoilt in DVC's cache while they were pushed: {_named(spoilt, files)}": spoilt,
            f"folders whose listing is neither here nor there: {', '.join(unlisted[:FEW])}": unlisted,
            f"spoilt there, and not here: {_named(rotten, files)}": [md5 for md5 in rotten if md5 in lacking],
            "they were gone again afterwards": [md5 for md5 in pushed if md5 not in arrived],
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
    """Bring all of `wanted` into the cache but what is `purged` (as in `push`), and make good what is spoilt there. Returns how
    many files came. `RemoteError` names what is lacking now, and why; nothing spoilt is left in the cache."""
    store = remote_store.open_remote(repo, remote)
    there = remote_store.sizes(store)
    files, unlisted = expanded(repo, store, there, wanted)
    files, aside = _without(repo, files, purged, again)
    todo = _look(repo, files, thorough, say)
    nowhere = [md5 for md5 in todo if md5 not in there]
    failed = fetch(repo, store, [md5 for md5 in todo if md5 in there])
    rotten = [md5 for md5, error in failed.items() if isinstance(error, Spoilt)]
    other = {md5: error for md5, error in failed.items() if md5 not in rotten}
    came = len(todo) - len(nowhere) - len(failed)
    _complain(
        f"Not all came from {remote_store.address(store)}: of {len(todo)} files lacking here, {came} were fetched",
        {
            f"{len(other)} files were not: {_why(other, remote_store.reason_here)}": other,
            f"not there: {_named(nowhere, files)} (`conservatory push` where they were made; `{AGAIN}` makes them)": nowhere,
            f"folders whose listing is not there: {', '.join(unlisted[:FEW])}": unlisted,
            f"spoilt there, and refused: {_named(rotten, files)} (`conservatory push --verify` where they were made)": rotten,
        },
    )
    say(f"{remote_store.address(store)}: {came} files fetched, {len(files) - came} were here already{_aside(aside)}.")
    return came


def fetch(repo, store, wanted: Iterable[str]) -> dict[str, Exception]:
    """Files of the remote into the cache, each under its name when it has its hash; returns the errors."""

    def one(md5: str) -> None:
        target = local_cache.path(repo, md5)
        remote_store.get(store, md5, target)
        protect(repo, md5)

    return remote_store.each(wanted, one, "pull")


def _without(repo, files: dict[str, str], purged: Container[str], again: Iterable[str]) -> tuple[dict[str, str], int]:
    """The files that are not purged, or that the outputs `again` have nevertheless, and how many are."""
    made = set(again) if purged else set()
    for folder in [md5 for md5 in made if md5.endswith(".dir")]:
        made |= set((local_cache.entries(repo, folder) or {}).values())
    left = {md5: what for md5, what in files.items() if md5 not in purged or md5 in made}
    return left, len(files) - len(left)


def _aside(count: int) -> str:
    return f", {count} were left aside because clips in them were withdrawn" if count else ""


def _look(repo, files: dict[str, str], thorough: bool, say: Callable) -> list[str]:
    """The files that the cache lacks. What is spoilt there is put aside, and made good from the project's own file if that is
    what it should be."""
    spoilt, lacking = [], []
    for md5, what in progress(files.items(), "look", unit="file"):
        state = local_cache.state(repo, md5, thorough)
        if state is SPOILT:
            spoilt.append(md5)
            local_cache.put_aside(repo, md5, what)
        if state is not SOUND and not local_cache.restore(repo, md5, what):
            lacking.append(md5)
    if spoilt:
        say(f"Spoilt in DVC's cache and put aside into {local_cache.ASIDE}: {_named(spoilt, files)}")
    return lacking


def _read(store, there: list[str]) -> list[str]:
    """Those that are spoilt in the remote. `RemoteError` where it cannot be read."""
    failed = remote_store.each(there, lambda md5: remote_store.check(store, md5), "read the remote")
    if other := [error for error in failed.values() if not isinstance(error, Spoilt)]:
        raise RemoteError(f"{remote_store.address(store)} cannot be read: {remote_store.reason(other[0])}")
    return list(failed)


def expanded(repo, store, there: dict[str, int], wanted: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """`wanted` and the files of its folders, each hash once; and the folders of which there is no listing, here or there."""
    folders, files, unlisted = [md5 for md5 in wanted if md5.endswith(".dir")], {}, []
    for md5 in folders:
        if local_cache.state(repo, md5, thorough=True) is SPOILT:
            local_cache.path(repo, md5).unlink()
        if local_cache.state(repo, md5) is ABSENT:
            local_cache.relist(repo, md5, wanted[md5])
    failed = fetch(repo, store, [md5 for md5 in folders if md5 in there and local_cache.state(repo, md5) is ABSENT])
    if errors := [error for error in failed.values() if not isinstance(error, Spoilt)]:
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
        raise RemoteError(f"{summary}. {'. '.join(found)}. What was carried stays; the same command goes on from here.")


def _why(failed: dict[str, Exception], words: Callable[[Exception], str]) -> str:
    return words(next(iter(failed.values()))) if failed else ""


def _named(hashes: list[str], files: dict[str, str]) -> str:
    named = ", ".join(f"{files[md5]} ({md5[:8]})" for md5 in hashes[:FEW])
    return f"{len(hashes)} files, {named}" + (f" and {len(hashes) - FEW} more" if len(hashes) > FEW else "")
