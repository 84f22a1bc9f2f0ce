"""This project's DVC cache: the path of a file by its hash, and whether its content matches."""

import contextlib
import hashlib
import json
import shutil
from pathlib import Path

from pipelines.core.files import atomic
from pipelines.ops.patches.cache import known_hash, listing, path, protect

ASIDE = Path(".dvc/tmp/corrupt")
ABSENT, SOUND, DAMAGED = "absent", "sound", "damaged"


def digest(file: Path) -> str:
    """Hex MD5 of a file's bytes, as DVC names them."""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()


def state(repo, md5: str, thorough: bool = False) -> str:
    """ABSENT, SOUND or DAMAGED. The hash of a file with the same inode, size and time as before is taken from DVC's database,
    unless `thorough`: a faulty disk is found only by reading."""
    file = path(repo, md5)
    if not file.exists():
        return ABSENT
    found = (None if thorough else known_hash(repo, file)) or digest(file)
    return SOUND if found.partition(".")[0] == md5.partition(".")[0] else DAMAGED


def entries(repo, folder: str) -> dict[str, str] | None:
    """Relative path -> hash of the files of a folder, by its listing; None if that is absent or damaged."""
    try:
        found = {entry["relpath"]: entry["md5"] for entry in json.loads(path(repo, folder).read_bytes())}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if all(isinstance(word, str) for pair in found.items() for word in pair) else None


def keep(repo, md5: str, source: Path) -> None:
    """Put a copy of `source`, which must have this hash, into the cache, as DVC would."""
    with atomic(path(repo, md5)) as temporary:
        shutil.copyfile(source, temporary)
    protect(repo, md5)


def put_aside(repo, md5: str, what: str) -> None:
    """Move a damaged file from the cache to .dvc/tmp/corrupt, and delete the file at `what` in the project if it is a link to it
    or has the same content: DVC would trust either."""
    file, here = path(repo, md5), Path(repo.root_dir) / what
    damaged = digest(file)
    same = here.is_file() and (here.samefile(file) or digest(here) == damaged)
    kept = Path(repo.root_dir) / ASIDE / md5
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, kept)
    if same:
        here.unlink()


def restore(repo, md5: str, what: str) -> bool:
    """Restore an absent file of the cache from the project's file at `what`, if that has the same hash."""
    here = Path(repo.root_dir) / what
    with contextlib.suppress(OSError):
        if here.is_file() and digest(here) == md5:
            keep(repo, md5, here)
            return True
    return False


def relist(repo, md5: str, what: str) -> None:
    """Write the listing of the folder at `what` again, if the folder in the project gives the same hash."""
    folder = Path(repo.root_dir) / what
    files = [file for file in folder.rglob("*") if file.is_file()] if folder.is_dir() else []
    found, content = listing({file.relative_to(folder).parts: digest(file) for file in files})
    if found == md5:
        with atomic(path(repo, md5)) as temporary:
            temporary.write_bytes(content)
        protect(repo, md5)
