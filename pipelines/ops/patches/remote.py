"""A DVC remote as an object database: its files by hash, through fsspec.

Uses: `repo.cloud.get_remote_odb`; of what it returns, `path`, `oid_to_path` and `fs` (`protocol`, `open`, `get_file`, `put_file`,
`unstrip_protocol`), and the fsspec file system behind that, `fs.fs` (`find`, `mv`, `rm_file`, `invalidate_cache`).

Why: `dvc push` and `dvc pull` compare names and not content: they transfer a damaged file, take half a file left by a broken
connection for a whole one, and only warn of a missing one (docs/remotes.md).

Written for: dvc 3.67.1

Without it: `dvc push` and `dvc pull` transfer the same files under the same names, without comparing content.
"""

import contextlib
from pathlib import Path

from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"


def database(repo, name: str):
    """The object database of a remote, of the default one without a name. Raises DVC's errors if it cannot be used."""
    fits("dvc", VERSION, "remotes may not be reached; `dvc push` and `dvc pull` still work")
    return repo.cloud.get_remote_odb(name or None, "push")


def address(odb) -> str:
    """The remote's URL as the user wrote it; of a local one, its folder."""
    return odb.fs.unstrip_protocol(odb.path).removeprefix("file://").removesuffix("/files/md5")


def protocol(odb) -> str:
    """local, ssh, s3, ..."""
    return odb.fs.protocol


def path(odb, md5: str) -> str:
    return odb.oid_to_path(md5)


def listed(odb) -> dict[str, int]:
    """Path -> bytes of every file, listed from the remote, not from a cache. `FileNotFoundError` if its folder does not exist."""
    if protocol(odb) == "local":
        root = Path(odb.path)
        found = root.glob("??/*") if root.exists() else ()
        return {str(file): file.stat().st_size for file in found if file.is_file()}
    odb.fs.fs.invalidate_cache()
    return {path: entry["size"] for path, entry in odb.fs.fs.find(odb.path, detail=True).items()}


def upload(odb, source: Path, target: str) -> None:
    odb.fs.put_file(str(source), target)


def upload_and_rename(odb, source: Path, temporary: str, target: str) -> None:
    """Upload under another name first; the file appears under its own when it is complete. An error leaves neither."""
    try:
        odb.fs.put_file(str(source), temporary)
        odb.fs.fs.mv(temporary, target)
    except BaseException:
        with contextlib.suppress(Exception):
            odb.fs.fs.rm_file(temporary)
        raise


def download(odb, source: str, target: Path) -> None:
    odb.fs.get_file(source, str(target))


def delete(odb, target: str) -> None:
    """`FileNotFoundError` if it is not there and that kind of remote says so."""
    if protocol(odb) == "local":
        Path(target).unlink()
    else:
        odb.fs.fs.rm_file(target)


def opened(odb, source: str):
    """A file of the remote, opened for reading bytes."""
    return odb.fs.open(source, "rb")
