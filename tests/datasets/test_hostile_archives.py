"""Archives that would fill the memory, or break the reader; what reaches out of its folder is in test_archives.py."""

import bz2
import gzip
import io
import lzma
import resource
import tarfile
import zipfile

import pytest

from pipelines.datasets.sources.archives import ArchiveError, unpack


def refused(tmp_path, archive, match):
    with pytest.raises(ArchiveError, match=match):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [archive.name], "something was left"


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_name_that_fills_the_memory_is_not_read(tmp_path, kind):
    """tarfile reads a long name into memory whole, and gzip makes it a thousandth: 1 MB would take 1 GB."""
    header = tarfile.TarInfo("long")
    header.type, header.size = kind, 1 << 28
    archive = tmp_path / "music.tar.gz"
    with gzip.open(archive, "wb", 1) as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(256):
            file.write(b"a" * (1 << 20))
        file.write(tarfile.TarInfo("a.wav").tobuf() + b"\0" * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(tmp_path, archive, "has a name or attributes of 268,435,456 bytes")
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    )  # KiB; it would have been 500,000 and more


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_called_damage_whatever_compressed_it(tmp_path, method):
    archive = tmp_path / "music.zip"
    with zipfile.ZipFile(archive, "w", method) as opened:
        opened.writestr("a.wav", bytes(range(256)) * 400)
    found = bytearray(archive.read_bytes())
    found[45:75] = b"\xff" * 30
    archive.write_bytes(found)
    refused(tmp_path, archive, "is damaged")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_that_is_cut_inside_its_first_file(tmp_path, compress):
    inside = io.BytesIO()
    with tarfile.open(fileobj=inside, mode="w") as opened:
        info = tarfile.TarInfo("a.wav")
        info.size = 1 << 20
        opened.addfile(info, io.BytesIO(bytes(1 << 20)))
    archive = tmp_path / "music.tar"
    whole = compress(inside.getvalue())
    archive.write_bytes(whole[: len(whole) * 2 // 3])
    refused(tmp_path, archive, "is damaged|neither a tar nor a zip")


def test_a_name_no_file_system_takes(tmp_path):
    archive = tmp_path / "music.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("ü" * 200 + ".wav", b"x")
    refused(tmp_path, archive, "name too long")


def test_offsets_out_of_the_file(tmp_path):
    """Found by fuzzing: a zip that lost its first byte has files before its beginning, and seeking there is an OSError."""
    archive = tmp_path / "music.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a.wav", b"x" * 100)
        opened.writestr("b.wav", b"x" * 100)
    whole = archive.read_bytes()
    for start in (1, 20, 40):
        archive.write_bytes(whole[start:])
        refused(tmp_path, archive, "is damaged")
