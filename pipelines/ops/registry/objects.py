"""Read files by hash from DVC's cache or its remote, for instance a champion's predictions, independently of the working tree."""

import json
from functools import cache
from pathlib import Path

from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.remotes import local_cache, remote_store, transfer


def find(project: Path, md5: str, what: str) -> Path:
    """The cached file with this hash, fetched from the default remote if need be; read it, never write it.

    what: its path, for the message. `RegistryError` if it is in neither, or damaged.
    """
    store = _store(str(project.absolute()))
    path = local_cache.path(store, md5)
    if not path.exists():
        _fetch(store, md5, what)
    try:
        sound = local_cache.digest(path) == md5.partition(".")[0]
    except OSError as error:
        raise RegistryError(f"{what} ({md5}) cannot be read in DVC's cache: {error.strerror or error}") from error
    if not sound:
        raise RegistryError(f"{what} ({md5}) is damaged in DVC's cache: `conservatory pull --models` restores it")
    return path


def listing(project: Path, md5: str, what: str) -> dict[str, str]:
    """Relative path -> hash of the files of a folder, from its listing."""
    try:
        return {entry["relpath"]: entry["md5"] for entry in json.loads(find(project, md5, what).read_bytes())}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RegistryError(f"{what} ({md5}) is not a folder's listing: it was not registered as a folder") from error


def file(project: Path, hashes: dict[str, str], path: str) -> Path:
    """The file at `path` among outputs `hashes` (path -> hash), itself an output or inside one that is a folder.

    `RegistryError` if it is in none.
    """
    if path in hashes:
        return find(project, hashes[path], path)
    for folder, md5 in hashes.items():
        if path.startswith(folder + "/") and md5.endswith(".dir"):
            inside = listing(project, md5, folder)
            if path[len(folder) + 1 :] in inside:
                return find(project, inside[path[len(folder) + 1 :]], path)
    raise RegistryError(f"no output of the version's inputs contains {path}")


@cache
def _store(project: str):
    from dvc.repo import Repo  # a second to import

    return Repo(project)


def _fetch(store, md5: str, what: str) -> None:
    missing = f"{what} ({md5}) is not in DVC's cache"
    if not store.config["core"].get("remote"):
        raise RegistryError(f"{missing}, and there is no default remote to fetch it from: dvc remote add -d NAME URL")
    try:
        failed = transfer.fetch(store, remote_store.open_remote(store), [md5])
    except remote_store.RemoteError as error:
        raise RegistryError(f"{missing}. {error}") from error
    error = failed.get(md5)
    if isinstance(error, FileNotFoundError):
        raise RegistryError(f"{missing} nor in the remote: run `conservatory push` where it was made, then try again")
    if isinstance(error, remote_store.Damaged):
        raise RegistryError(
            f"{missing}, and is damaged in the remote: run `conservatory push --verify` where it was made"
        )
    if error:
        raise RegistryError(
            f"{missing}, and could not be fetched from the remote: {remote_store.reason(error)}"
        ) from error
