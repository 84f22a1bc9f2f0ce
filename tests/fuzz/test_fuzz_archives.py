"""Archives: unpacked into their folder, or refused with nothing left; never a file beside it, never much more than it is."""

import io
import shutil
import tarfile
import zipfile

import pytest
from bytes_of import files, fuzz
from hypothesis import given

from pipelines.datasets.sources import archives

pytestmark = pytest.mark.fault

NAMES = ("rock/a.wav", "folk/ü.wav", "b.txt")
WORDS = (b"../", b"/etc/x", b"\0", b"..", b"L", b"x", b"2", b"\xff")


def tar(mode: str, style: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, format=style) as opened:
        for number, name in enumerate((*NAMES, "long/" + "n" * 150)):
            info = tarfile.TarInfo(name)
            info.size = 300 * number
            opened.addfile(info, io.BytesIO(bytes(info.size)))
    return stream.getvalue()


def zipped(method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as opened:
        for number, name in enumerate(NAMES):
            opened.writestr(name, bytes(300 * number))
    return stream.getvalue()


KINDS = {
    "tar": (tar("w", tarfile.GNU_FORMAT), tar("w", tarfile.PAX_FORMAT)),
    "gz": (tar("w:gz", tarfile.GNU_FORMAT),),
    "bz2": (tar("w:bz2", tarfile.PAX_FORMAT),),
    "xz": (tar("w:xz", tarfile.GNU_FORMAT),),
    "zip": (
        zipped(zipfile.ZIP_STORED),
        zipped(zipfile.ZIP_DEFLATED),
        zipped(zipfile.ZIP_BZIP2),
        zipped(zipfile.ZIP_LZMA),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_spoilt_archives(tmp_path, kind):
    around = tmp_path / "around"

    @fuzz
    @given(files(*KINDS[kind], words=WORDS))
    def target(content):
        shutil.rmtree(around, ignore_errors=True)
        inside = around / "deep" / "deeper"
        inside.mkdir(parents=True)
        archive = inside / "music"
        archive.write_bytes(content)
        try:
            archives.unpack(archive, inside / "out", spare_bytes=0)
        except archives.ArchiveError as error:
            assert str(archive) in str(error)
            assert [path.name for path in inside.iterdir()] == ["music"]
        else:
            unpacked = [path for path in (inside / "out").rglob("*") if not path.is_dir()]
            assert unpacked and all(path.is_file() and not path.is_symlink() for path in unpacked)
            assert sum(path.stat().st_size for path in unpacked) <= archives.MAX_RATIO * len(content)
            assert {path.name for path in inside.iterdir()} == {"music", "out"}
        assert [path.name for path in around.iterdir()] == ["deep"]

    target()
