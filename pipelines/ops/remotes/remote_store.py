"""A DVC remote: list, put and get files, and explain errors.

A file appears under its name only when it is complete. (Over SSH, DVC itself writes under the final name, so an interruption
leaves half a file.)"""

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
    """Some files could not be transferred; the message says which, why, and what to do. The others were."""


class Damaged(Exception):
    """The content of a file has another hash than its name."""


def open_remote(repo, name: str = ""):
    """DVC's object database of a remote, of the default one without a name. `RemoteError` if it cannot be used."""
    from dvc.config import ConfigError, NoRemoteError, RemoteNotFoundError
    from dvc.fs import RemoteMissingDepsError

    try:
        return remote.database(repo, name)
    except NoRemoteError:
        raise RemoteError("There is no default remote: dvc remote add -d NAME URL (docs/remotes.md)") from None
    except RemoteNotFoundError:
        known = ", ".join(repo.config["remote"]) or "none"
        raise RemoteError(f"There is no remote {name!r}; known remotes: {known}") from None
    except (RemoteMissingDepsError, ImportError) as error:
        raise RemoteError(
            f"{error}. For S3 and SSH: pip install -c constraints.txt -e '.[s3,ssh]'; for other kinds, install the named package"
        ) from error
    except ConfigError as error:
        raise RemoteError(f"The remote cannot be used: {error}") from error


def sizes(store) -> dict[str, int]:
    """Hash -> bytes of every file in the remote; empty if its folder does not exist yet. `RemoteError` if it cannot be listed."""
    try:
        found = remote.listed(store)
    except FileNotFoundError:
        return {}
    except Exception as error:  # each kind of remote raises its own exceptions
        raise RemoteError(f"{address(store)} cannot be listed: {reason(error)}") from error
    names = {Path(path).parent.name + Path(path).name: size for path, size in found.items()}
    return {name: size for name, size in names.items() if len(name.removesuffix(".dir")) == 32 and "." not in name[:32]}


def put(store, md5: str, source: Path) -> None:
    """Copy `source` to the remote, under its name when it is complete."""
    target = remote.path(store, md5)
    if remote.protocol(store) == "local":
        with atomic(target) as temporary:
            shutil.copyfile(source, temporary)
    elif remote.protocol(store) == "ssh":
        remote.upload_and_rename(store, source, f"{target}.{secrets.token_hex(4)}.tmp", target)
    else:  # an object store shows an upload only when it is complete
        remote.upload(store, source, target)


def get(store, md5: str, target: Path) -> None:
    """Copy a file of the remote to `target`, under its name if it is complete and has that hash. Raises `Damaged` if it has
    another."""
    with atomic(target) as temporary:
        remote.download(store, remote.path(store, md5), temporary)
        if digest(temporary) != md5.partition(".")[0]:
            raise Damaged(md5)


def remove(store, md5: str) -> None:
    """Delete a file of the remote. `FileNotFoundError` if it is missing and that kind of remote reports it."""
    remote.delete(store, remote.path(store, md5))


def check(store, md5: str) -> None:
    """Read a file of the remote completely. Raises `Damaged` if its hash is not its name."""
    found = hashlib.md5()
    with remote.opened(store, remote.path(store, md5)) as content:
        for block in iter(partial(content.read, BLOCK), b""):
            found.update(block)
    if found.hexdigest() != md5.partition(".")[0]:
        raise Damaged(md5)


def each(items: Iterable[str], work: Callable[[str], None], description: str) -> dict[str, Exception]:
    """Call `work` for every item, several at a time, and return the errors. After an error that would also stop the next item
    (full disk, no connection, no permission), no more are started, and the rest count as failed with that error."""
    items, stop, failed = list(items), threading.Event(), {}
    reasons: list[Exception] = []

    def one(item: str) -> None:
        if stop.is_set():
            failed[item] = reasons[0]
            return
        try:
            work(item)
        except Damaged as error:
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
    """An error of any kind of remote as a sentence, with what to do."""
    text = " ".join(str(error).split())[:300] or type(error).__name__
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or any(word in text for word in FULL):
        return f"it is full ({text}). Free space there (docs/retention.md), or push to another: --remote NAME"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS) or any(word in text for word in DENIED):
        return f"access is denied ({text}). See `dvc remote list` and the credentials in .dvc/config.local"
    if isinstance(error, ConnectionError | TimeoutError) or any(word in text for word in GONE):
        return f"it does not answer ({text}). Is it running, and is its address correct (`dvc remote list`)?"
    return text


def reason_here(error: BaseException) -> str:
    """`reason` of an error in fetching: a full disk is the one here."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return "the disk here is full; conservatory prune and conservatory cache --prune free space"
    return reason(error)
