"""Download a published file with resuming, retries and several hosts, and verify its checksum before it is used.

pooch gives the notation of checksums (`md5:...`, `sha256:...`) and computes them. This module does the transfer itself: pooch
downloads one URL into a temporary file that it deletes when the connection breaks, so that archives of gigabytes may never be
complete, and it writes before a caller can see whether the server honoured a `Range`.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pooch
import requests

from pipelines.harness.progress import progress

WAITS_S = (2.0, 10.0, 60.0)
"""Pauses before a host is tried a second, third and fourth time."""

TIMEOUT_S = 30.0
"""Timeout of a connection that does not open or sends nothing."""

SPARE_BYTES = 1 << 30
"""Space of a disk that is left free."""

BLOCK = 1 << 16
MEBIBYTE = 1 << 20
TRY_AGAIN = (408, 425, 429)  # statuses of the 400s that may be other in a minute
AGENT = "conservatory (Python; requests)"


class DownloadError(ValueError):
    """A file that could not be had; the message says which, what was tried and what to do."""


class _Refused(Exception):
    """This host will not give the file, however often it is asked."""


class _Broken(Exception):
    """This time it failed; another may do."""


def fetch(
    urls: Sequence[str],
    checksums: Sequence[str],
    destination: str | os.PathLike,
    otherwise: str = "",
    waits_s: Sequence[float] = WAITS_S,
    timeout_s: float = TIMEOUT_S,
    spare_bytes: int = SPARE_BYTES,
) -> Path:
    """The file at `destination`, downloaded from the first of `urls` that gives it, unless it is there already.

    `checksums` are `sha256:...` or `md5:...`; a file that has any of them is the file (a dataset may have been published
    twice). What has arrived stays in `<destination>.part`, from where the next attempt, host or run goes on; it becomes
    `destination` when its checksum is right. `otherwise` ends the error's message: how else to come by the file.
    Raises `DownloadError`.
    """
    if not checksums:
        raise DownloadError(f"{Path(destination).name} has no checksum, so it cannot be verified and is not downloaded")
    destination = Path(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _alone(destination):
        if destination.exists() and has_checksum(destination, checksums):
            return destination
        part = destination.with_name(f"{destination.name}.part")
        tried = []
        for url in urls:
            reason = _from_host(url, part, checksums, waits_s, timeout_s, spare_bytes)
            if not reason:
                part.replace(destination)
                return destination
            tried.append(f"  {url}: {reason}")
    kept = part.stat().st_size if part.exists() else 0
    raise DownloadError(
        f"{destination.name} could not be downloaded:\n"
        + "\n".join(tried or ["  no host is known for it"])
        + (f"\nThe {kept:,} bytes received are kept: run the same command to resume." if kept else "")
        + f"\nOr put the file at {destination}, with the checksum {' or '.join(checksums)}."
        + (f" {otherwise}" if otherwise else "")
    )


def has_checksum(path: str | os.PathLike, checksums: Sequence[str]) -> bool:
    """Whether a file has one of the checksums (`sha256:...`, `md5:...`)."""
    found = {kind: f"{kind}:{pooch.file_hash(str(path), alg=kind)}" for kind in _kinds(checksums)}
    return any(checksum.lower() in found.values() for checksum in checksums)


def check_space(folder: Path, n_bytes: int, what: str, spare_bytes: int = SPARE_BYTES) -> None:
    """Raise `DownloadError` unless the disk of `folder` takes `n_bytes` and has `spare_bytes` left."""
    free = shutil.disk_usage(folder).free
    if n_bytes + spare_bytes > free:
        raise DownloadError(
            f"{what} needs {n_bytes / 1e9:.1f} GB in {folder.resolve()}, and {spare_bytes / 1e9:.1f} GB to spare; "
            f"{free / 1e9:.1f} GB are free. Free space, or replace the folder with a link to a larger disk; "
            "then run the same command again."
        )


def _from_host(url: str, part: Path, checksums, waits_s, timeout_s: float, spare_bytes: int) -> str:
    """Bring `part` to its full length and right checksum; why not, or "" if so."""
    reason = why = ""
    log = logging.getLogger("download")
    for attempt, wait in enumerate((0.0, *waits_s), start=1):
        if why:
            log.warning(
                "%s: try %d of %d at %s: %s; again in %g s", part.stem, attempt - 1, len(waits_s) + 1, url, why, wait
            )
        time.sleep(wait)
        resumed = part.exists()
        try:
            _receive(url, part, timeout_s, spare_bytes)
        except _Refused as error:
            return str(error)
        except _Broken as error:
            why = str(error)
            reason = f"{why} ({attempt} times)" if attempt > 1 else why
            continue
        if has_checksum(part, checksums):
            return ""
        found = ", ".join(f"{name}:{pooch.file_hash(str(part), alg=name)}" for name in _kinds(checksums))
        reason = why = f"sent {part.stat().st_size:,} bytes with another checksum, {found}"
        part.unlink()
        if not resumed:  # what began at the first byte will be no other the next time
            return reason
    return reason


def _kinds(checksums: Sequence[str]) -> list[str]:
    return sorted({checksum.partition(":")[0] for checksum in checksums})


def _receive(url: str, part: Path, timeout_s: float, spare_bytes: int) -> None:
    """Append to `part` what it lacks. Raises `_Refused`, `_Broken`, or `DownloadError` where the disk is the reason."""
    have = part.stat().st_size if part.exists() else 0
    # a transfer that is compressed on the way has no offsets to resume from
    headers = {"Accept-Encoding": "identity", "User-Agent": AGENT} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout_s) as reply:
            status = reply.status_code
            if status == 416:  # nothing after what is here: it is whole, or not this file, as its checksum will say
                return
            if 400 <= status < 500 and status not in TRY_AGAIN:
                raise _Refused(f"HTTP {status} {reply.reason}")
            if status not in (200, 206):
                raise _Broken(f"HTTP {status} {reply.reason}")
            start, total = _extent(reply)
            if start not in (0, have):
                part.unlink()
                raise _Broken(f"asked for bytes from {have:,}, sent them from {start:,}")
            if total is not None:
                check_space(part.parent, total - start, part.stem, spare_bytes)
            with open(part, "r+b" if start else "wb") as file:
                file.seek(start)
                _write(reply, file, part, None if total is None else total - start, spare_bytes)
    except (requests.TooManyRedirects, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise _Refused(str(error)) from error
    except requests.RequestException as error:
        raise _Broken(_in_words(error, timeout_s)) from error
    except OSError as error:
        raise DownloadError(
            f"{part} cannot be written: {error.strerror or error}. Correct that, and run the same command again."
        ) from error
    if total is not None and part.stat().st_size < total:
        raise _Broken(f"the connection ended after {part.stat().st_size:,} of {total:,} bytes")


def _extent(reply: requests.Response) -> tuple[int, int | None]:
    """(first byte that is sent, length of the whole file, or None where the server does not say)."""
    if reply.status_code == 206:
        try:
            span, _, total = reply.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
            return int(span.partition("-")[0]), None if total == "*" else int(total)
        except ValueError as error:
            raise _Broken("sent a part of the file without saying which") from error
    length = reply.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _write(reply: requests.Response, file: IO[bytes], part: Path, n_bytes: int | None, spare_bytes: int) -> None:
    total = None if n_bytes is None else -(-n_bytes // MEBIBYTE)
    for _ in progress(_mebibytes(reply, file), f"download {part.stem}", total, unit="MiB"):
        if n_bytes is None:  # a server that does not say how much there is may never end
            check_space(part.parent, MEBIBYTE, part.stem, spare_bytes)


def _mebibytes(reply: requests.Response, file: IO[bytes]) -> Iterator[int]:
    """Write what comes, and yield at each mebibyte begun."""
    written = 0
    for block in reply.iter_content(BLOCK):
        file.write(block)
        before, written = written, written + len(block)
        yield from range(-(-before // MEBIBYTE), -(-written // MEBIBYTE))


def _in_words(error: requests.RequestException, timeout_s: float) -> str:
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"nothing arrived for {timeout_s:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke during the transfer"
    if isinstance(error, requests.ConnectionError):
        return "no connection (check the host's name and the network)"
    return str(error)


@contextlib.contextmanager
def _alone(destination: Path) -> Iterator[None]:
    """One download into a folder at a time: two writers of one `.part` would spoil it."""
    folder = os.open(destination.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadError(
                f"another run is downloading into {destination.parent}: wait until it ends, or stop it, and try again"
            ) from error
        yield
    finally:
        os.close(folder)
