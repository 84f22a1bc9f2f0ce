"""Unpack an untrusted tar or zip: into its folder only, and completely or not at all.

An archive is refused, with the name of the member, for an absolute path, `..`, a link, a device, a pipe, a repeated name,
encryption, or a compression ratio that audio cannot have. A refused archive leaves no folder behind.
"""

import errno
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from pipelines.core.files import atomic
from pipelines.datasets.sources.download import SPARE_BYTES, check_space
from pipelines.harness.progress import progress

MAX_RATIO = 50.0
"""Unpacked bytes per byte of the archive. Audio gives 1 to 2, tables up to 20; a bomb gives thousands."""

MAX_FILES = 1_000_000
MAX_NAME = 255  # bytes of a file's or folder's name, which is what file systems take
MAX_HEADER = 1 << 20  # bytes of a tar's long name or table of attributes, which tarfile reads into memory whole
BLOCK = 1 << 20


DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
"""Exceptions for damaged bytes, beside OSError without a number."""


class ArchiveError(ValueError):
    """An archive that is damaged or not to be trusted; the message names it, the member, and what to do."""


WHOLE = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
"""Members of a tar that describe the next member."""


class _Header(tarfile.TarInfo):
    """A tar's header that does not fill the memory: 4 MB of gzip can hold a file name of 4 GB."""

    def _proc_member(self, opened: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in WHOLE and self.size > MAX_HEADER:
            raise ArchiveError(f"{opened.name} has a name or attributes of {self.size:,} bytes: it was not unpacked")
        return super()._proc_member(opened)


class _Member(NamedTuple):
    name: str
    n_bytes: int
    problem: str  # why it may not be unpacked, "" where it may
    open: Callable[[], IO[bytes]]


def unpack(
    archive: str | os.PathLike,
    folder: str | os.PathLike,
    max_ratio: float = MAX_RATIO,
    max_files: int = MAX_FILES,
    spare_bytes: int = SPARE_BYTES,
) -> Path:
    """`folder` with the archive's files in it; if it is there, it was unpacked before and nothing is done.

    Files go to `.<folder>.unpacking`, which is renamed when all are there. After a kill the next call goes on: each
    file is itself written under another name first, so one that is there with the right length is whole.
    Ownership, modes and times are not taken over. Raises `ArchiveError`.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        return folder
    place = folder.with_name(f".{folder.name}.unpacking")
    place.mkdir(parents=True, exist_ok=True)
    limit = int(max_ratio * archive.stat().st_size)
    written, seen = 0, set()
    try:
        for member in progress(_members(archive), f"unpack {archive.name}", unit="file"):
            path = _inside(member, archive, seen)
            seen.add(path)
            if len(seen) > max_files:
                raise ArchiveError(
                    f"{archive} contains more than {max_files:,} files, too many for music: it was not unpacked"
                )
            target = place / path
            if not (target.is_file() and target.stat().st_size == member.n_bytes):
                check_space(place, min(member.n_bytes, limit), f"{path} of {archive.name}", spare_bytes)
                _write(member, target, limit - written, archive)
            written += target.stat().st_size
            if written > limit:
                raise _bomb(archive, path, limit)
    except ArchiveError:
        shutil.rmtree(place, ignore_errors=True)
        raise
    except (*DAMAGE, OSError) as error:
        if _is_of_the_disk(error):
            raise
        shutil.rmtree(place, ignore_errors=True)
        raise ArchiveError(f"{archive} is damaged ({error}): delete it, and it is downloaded again") from error
    if not seen:
        raise ArchiveError(f"{archive} contains no files: delete it, and it is downloaded again")
    place.replace(folder)
    return folder


def _members(archive: Path) -> Iterator[_Member]:
    """The files of an archive, in its order, and whatever in it is not a file or folder as a problem."""
    if _is_tar(archive):
        with tarfile.open(archive, "r:*", tarinfo=_Header) as opened:
            for info in opened:
                problem = "" if info.isreg() or info.isdir() else "is a link or a device"
                if problem or not info.isdir():
                    yield _Member(info.name, info.size, problem, lambda info=info: opened.extractfile(info))
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                mode = info.external_attr >> 16
                kind = stat.S_IFMT(mode)
                problem = "" if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "is a link or a device"
                problem = "is encrypted" if info.flag_bits & 1 else problem
                if problem or not info.is_dir():
                    yield _Member(info.filename, info.file_size, problem, lambda info=info: opened.open(info))
    else:
        raise ArchiveError(f"{archive} is neither a tar nor a zip: delete it, and it is downloaded again")


def _is_of_the_disk(error: Exception) -> bool:
    """Decompressors raise OSError without a number, and an offset out of the file is EINVAL."""
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def _is_tar(archive: Path) -> bool:
    try:
        tarfile.open(archive, "r:*", tarinfo=_Header).close()
    except (*DAMAGE, OSError) as error:
        if _is_of_the_disk(error):
            raise
        return False
    return True


def _inside(member: _Member, archive: Path, seen: set[str]) -> str:
    """The member's path below the folder, or `ArchiveError`."""
    path = PurePosixPath(member.name)
    problem = member.problem
    drive = member.name[1:2] == ":" or "\\" in member.name
    if path.is_absolute() or drive or not path.parts:
        problem = problem or "has an absolute path, or none"
    elif ".." in path.parts or "\0" in member.name:
        problem = problem or "leads out of the folder"
    elif any(len(os.fsencode(part)) > MAX_NAME for part in path.parts):
        problem = problem or "has a name too long for a file"
    elif str(path) in seen:
        problem = problem or "occurs twice"
    if problem:
        raise ArchiveError(
            f"{archive}: {member.name!r} {problem}. It was not unpacked, because no published archive of music needs that. Check "
            "where it comes from, and delete it to download it again."
        )
    return str(path)


def _write(member: _Member, target: Path, limit: int, archive: Path) -> None:
    """Bytes are counted as they come: what the archive says of its members may be a lie."""
    written = 0
    try:
        with member.open() as source, atomic(target) as temporary, open(temporary, "wb") as file:
            while block := source.read(BLOCK):
                written += len(block)
                if written > limit:
                    raise _bomb(archive, member.name, limit)
                file.write(block)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ArchiveError(f"{archive}: {member.name!r} is a file and a folder at once; it was not unpacked") from error


def _bomb(archive: Path, name: str, limit: int) -> ArchiveError:
    return ArchiveError(
        f"{archive} unpacks to more than {limit:,} bytes (reached at {name!r}), too much for music of its size: it was not "
        "unpacked. Check where it comes from."
    )
