"""DVC's cache in this project: its location, its layout, and checks of its files.

Uses: `repo.cache.local` (`path`, `oid_to_path`, `protect`), `repo.state.get`, `dvc_data.hashfile.db.HashFileDB.check`,
`dvc_data.hashfile.tree.Tree`; the layout `<cache.dir>/files/md5/ab/cdef...` and `<cache.dir>/runs/ab/<key>/<value>`.

Why: DVC trusts a write-protected file of its cache without reading it, and would restore a damaged one; a folder of its run cache
that a kill left empty ends the next run with an error. Retention must know every file of the cache.

Written for: dvc 3.67.1, dvc-data 3.18.3

Without it: damaged files of the cache are restored into the project and pushed to remotes, and the cache cannot be pruned by what
registered models need.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"


def files(repo) -> Path:
    """The folder of the cached files, `<cache.dir>/files/md5`."""
    fits("dvc", VERSION, "files of DVC's cache may not be found")
    return Path(repo.cache.local.path)


def folder(files: Path) -> Path:
    """The cache itself, `cache.dir`, from `files(repo)`."""
    return files.parents[1]


def of_project(project: Path) -> Path:
    """`files` of the repository in `project`."""
    from dvc.repo import Repo  # a second to import

    with Repo(str(project.absolute())) as repo:
        return files(repo)


def path(repo, md5: str) -> Path:
    """Where the cache keeps the file with this hash."""
    return Path(repo.cache.local.oid_to_path(md5))


def protect(repo, md5: str) -> None:
    """Make a cached file read-only, as DVC does."""
    repo.cache.local.protect(str(path(repo, md5)))


def known_hash(repo, file: Path) -> str | None:
    """The hash that DVC computed before for a file with this inode, size and time; None if it has not."""
    known = repo.state.get(str(file), repo.cache.local.fs)[1]
    return known.value if known else None


def remove_if_damaged(repo, md5: str) -> bool:
    """Delete a cached file whose content has another hash, and say if it did. Hashes a file only if DVC has not since it changed.

    `HashFileDB.check` and not the local cache's own `check`, which trusts a read-only file.
    """
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.errors import ObjectFormatError

    try:
        HashFileDB.check(repo.cache.local, md5)
    except ObjectFormatError:
        return True
    return False


def listing(hashes: Mapping[tuple[str, ...], str]) -> tuple[str, bytes]:
    """(hash, content) of the file by which the cache keeps a folder. hashes: path in the folder, in parts -> the file's md5."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    tree = Tree()
    for parts, md5 in hashes.items():
        tree.add(parts, None, HashInfo("md5", md5))
    tree.digest()
    return tree.oid, tree.as_bytes()


def runs(cache: Path) -> Iterator[Path]:
    """The folders of the run cache in `folder(files)`: one for each stage, command and inputs; a file for each result in it."""
    return (each for each in (cache / "runs").glob("??/*") if each.is_dir())
