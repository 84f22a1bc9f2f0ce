"""A DVC remote: list, put and get files, with errors in plain words.

A file appears under its name when all of it is there. (DVC writes over SSH under the final name: whoever breaks off leaves half.)
"""

import errno
import hashlib
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pipelines.core.files import atomic
from pipelines.harness.progress import progress
from pipelines.ops.patches import remote
from pipelines.ops.patches.remote import address
from pipelines.ops.remotes.local_cache import digest

JOBS = 8
BLOCK = 1 << 20
FULL = ("InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "No space left", "(507)")
GONE = (
    "Could not connect",
    "Connect call failed",
    "Connection lost",
    "Connection closed",
    "Connection refused",
    "Name or service",
)
DENIED = (
    "Access Denied",
    "AccessDenied",
    "Permission denied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "Unable to locate credentials",
)


class RemoteError(Exception):
    """What could not be carried, why, and what to do; what was carried stays where it is."""


class Spoilt(Exception):
    """What was read has another hash than its name."""


def open_remote(repo, name: str = ""):
    """DVC's store of files in a remote, the default one without a name. `RemoteError` where it cannot be used."""
    from dvc.config import ConfigError, NoRemoteError, RemoteNotFoundError
    from dvc.fs import RemoteMissingDepsError

    try:
        return remote.database(repo, name)
    except NoRemoteError:
        raise RemoteError("There is no default remote: dvc remote add -d NAME URL (docs/remotes.md)") from None
    except RemoteNotFoundError:
        known = ", ".join(repo.config["remote"]) or "none"
        raise RemoteError(f"There is no remote {name!r}; there is {known}") from None
    except (RemoteMissingDepsError, ImportError) as error:
        raise RemoteError(
            f"{error}. For S3 and SSH: pip install -c constraints.txt -e '.[s3,ssh]'; for others the package it names"
        ) from error
    except ConfigError as error:
        raise RemoteError(f"The remote cannot be used: {error}") from error


def sizes(store) -> dict[str, int]:
    """Hash -> bytes of every file in the remote; none where its folder is not there yet. `RemoteError` if it cannot be asked."""
    try:
        found = remote.listed(store)
    except FileNotFoundError:
        return {}
    except Exception as error:  # each kind of remote has its own
        raise RemoteError(f"{address(store)} cannot be asked what it has: {reason(error)}") from error
    names = {Path(path).parent.name + Path(path).name: size for path, size in found.items()}
    return {name: size for name, size in names.items() if len(name.removesuffix(".dir")) == 32 and "." not in name[:32]}


def put(store, md5: str, source: Path) -> None:
    """Copy `source` to the remote, under its name when it is whole."""
    target = remote.path(store, md5)
    if remote.protocol(store) == "local":
        with atomic(target) as temporary:
            shutil.copyfile(source, temporary)
    elif remote.protocol(store) == "ssh":
        remote.upload_and_rename(store, source, f"{target}.{secrets.token_hex(4)}.tmp", target)
    else:  # an object store shows an upload only when it is complete
        remote.upload(store, source, target)


def get(store, md5: str, target: Path) -> None:
    """Copy a file of the remote to `target`, under its name when it is whole and has its hash. `Spoilt` where it has another."""
    with atomic(target) as temporary:
        remote.download(store, remote.path(store, md5), temporary)
        if digest(temporary) != md5.partition(".")[0]:
            raise Spoilt(md5)


def remove(store, md5: str) -> None:
    """Delete a file of the remote. `FileNotFoundError` where it is not there, if that kind of remote says so."""
    remote.delete(store, remote.path(store, md5))


def check(store, md5: str) -> None:
    """Read a file of the remote to its end. `Spoilt` where it has another hash than its name."""
    found = hashlib.md5()
    with remote.opened(store, remote.path(store, md5)) as content:
        for block in iter(partial(content.read, BLOCK), b""):
            found.update(block)
    if found.hexdigest() != md5.partition(".")[0]:
        raise Spoilt(md5)


def each(items: Iterable[str], work: Callable[[str], None], description: str) -> dict[str, Exception]:
    """Do `work` for every item, several at a time, and return the errors. After one that the next would meet too (no room, no
    connection, no right), no more are begun, and those left count as failed by it."""
    items, stop, failed = list(items), threading.Event(), {}
    reasons: list[Exception] = []

    def one(item: str) -> None:
        if stop.is_set():
            failed[item] = reasons[0]
            return
        try:
            work(item)
        except Spoilt as error:
            failed[item] = error
        except Exception as error:
            failed[item] = error
            if not isinstance(error, FileNotFoundError):
                reasons.append(error)
                stop.set()

    with ThreadPoolExecutor(JOBS) as pool:
        try:
            for _ in progress(pool.map(one, items), description, total=len(items), unit="file"):
                pass
        except BaseException:
            reasons.append(InterruptedError("interrupted"))
            stop.set()
            raise
    return failed


def reason(error: BaseException) -> str:
    """An error of whichever kind of remote, and what to do about it."""
    text = " ".join(str(error).split())[:300] or type(error).__name__
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or any(word in text for word in FULL):
        return f"it is full ({text}). Make room there (docs/retention.md), or push to another: --remote NAME"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS) or any(word in text for word in DENIED):
        return f"it does not let you ({text}). See `dvc remote list` and its credentials in .dvc/config.local"
    if isinstance(error, ConnectionError | TimeoutError) or any(word in text for word in GONE):
        return f"it does not answer ({text}). Is it running, and is its address right (`dvc remote list`)?"
    return text


def reason_here(error: BaseException) -> str:
    """`reason` of an error in fetching: where there is no room, it is this disk that has none."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return "the disk here is full; conservatory prune and conservatory cache --prune make room"
    return reason(error)
