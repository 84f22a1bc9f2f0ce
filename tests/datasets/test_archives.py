"""Archives: what is good comes out whole, what is not to be trusted does not come out at all."""

import io
import os
import tarfile
import zipfile

import pytest

from pipelines.datasets.sources import archives
from pipelines.datasets.sources.archives import ArchiveError, unpack

FILES = {"data/00/1.mp3": os.urandom(3000), "data/01/ü 2.mp3": os.urandom(10), "data/empty.txt": b""}


def make_tar(path, files=FILES, special=(), mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        folder = tarfile.TarInfo("./data")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o4777
            archive.addfile(info, io.BytesIO(content))
        for info in special:
            archive.addfile(info)
    return path


def make_zip(path, files=FILES, special=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/", "")
        for name, content in [*files.items(), *special]:
            archive.writestr(name, content)
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def found(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_all_files_come_out(tmp_path, mode):
    path = tmp_path / "a"
    _ = make_zip(path) if mode == "zip" else make_tar(path, mode=mode)
    folder = unpack(path, tmp_path / "out")
    assert found(folder) == FILES
    assert not (folder / "data/00/1.mp3").stat().st_mode & 0o7022, "modes are not the archive's"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "out"]


def test_what_was_unpacked_is_left_alone(tmp_path):
    folder = unpack(make_tar(tmp_path / "a"), tmp_path / "out")
    (tmp_path / "a").write_bytes(b"broken since")
    assert unpack(tmp_path / "a", folder) == folder and found(folder) == FILES


def test_a_killed_run_is_gone_on_with(tmp_path, monkeypatch):
    path, real, asked = make_tar(tmp_path / "a"), archives._write, []

    def killed_at_second(member, *rest):
        asked.append(member.name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        real(member, *rest)

    monkeypatch.setattr(archives, "_write", killed_at_second)
    with pytest.raises(KeyboardInterrupt):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists(), "half of it is never seen"
    unpack(path, tmp_path / "out")
    assert found(tmp_path / "out") == FILES
    assert asked.count("data/00/1.mp3") == 1, "what was there is not written again"


HARDLINK = special("data/hard", tarfile.LNKTYPE, "../../outside")
EVIL_TAR = {
    "absolute": {"files": {**FILES, "/tmp/evil": b"x"}},
    "leads out": {"files": {**FILES, "data/../../evil": b"x"}},
    "link or a device": {"special": [special("data/link", tarfile.SYMTYPE, "/etc/passwd")]},
    "link or a device ": {"special": [HARDLINK]},
    "link or a device  ": {"special": [special("data/null", tarfile.CHRTYPE)]},
    "link or a device   ": {"special": [special("data/pipe", tarfile.FIFOTYPE)]},
    "occurs twice": {"special": [tarfile.TarInfo("data/00/1.mp3")]},
    "file and a folder": {"special": [tarfile.TarInfo("data/00/1.mp3/x")]},
}


def zip_link():
    info = zipfile.ZipInfo("data/link")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


EVIL_ZIP = {
    "absolute": [("/tmp/evil", b"x")],
    "absolute ": [("C:\\evil", b"x")],
    "absolute  ": [("data\\..\\..\\evil", b"x")],
    "leads out": [("../evil", b"x")],
    "link or a device": [(zip_link(), b"/etc/passwd")],
}


def refuses(path, tmp_path, word, **limits):
    with pytest.raises(ArchiveError, match=word.strip()) as error:
        unpack(path, tmp_path / "here" / "out", **limits)
    assert str(path) in str(error.value)
    assert not [p for p in (tmp_path / "here").rglob("*") if p.is_file()], "nothing is left"
    assert not (tmp_path / "evil").exists() and not (tmp_path / "here" / "evil").exists()


@pytest.mark.parametrize("word", EVIL_TAR)
def test_a_tar_that_reaches_out_is_refused(tmp_path, word):
    refuses(make_tar(tmp_path / "a.tar", **EVIL_TAR[word]), tmp_path, word)


@pytest.mark.parametrize("word", EVIL_ZIP)
def test_a_zip_that_reaches_out_is_refused(tmp_path, word):
    refuses(make_zip(tmp_path / "a.zip", special=EVIL_ZIP[word]), tmp_path, word)


def test_an_encrypted_zip_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag, in the central directory
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        assert archive.infolist()[0].flag_bits & 1
    path.write_bytes(bytes(content))
    refuses(path, tmp_path, "is encrypted")


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_a_bomb_is_refused(tmp_path, make):
    refuses(make(tmp_path / "a", {"data/zeros": bytes(5_000_000)}), tmp_path, "too much for music")


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_a_bomb_in_small_pieces_is_refused(tmp_path, make):
    path = make(tmp_path / "a", {f"data/{n}": bytes(50_000) for n in range(20)})
    assert 50_000 < archives.MAX_RATIO * path.stat().st_size < 20 * 50_000
    refuses(path, tmp_path, "too much for music")


def test_a_member_that_is_longer_than_it_says_is_cut_short(tmp_path):
    source = io.BytesIO(bytes(10 * archives.BLOCK))
    member = archives._Member("x", 10, "", lambda: source)
    with pytest.raises(ArchiveError, match="too much for music"):
        archives._write(member, tmp_path / "x", archives.BLOCK, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_too_many_files_are_refused(tmp_path):
    refuses(make_tar(tmp_path / "a"), tmp_path, "more than 2 files", max_files=2)


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_a_truncated_archive_is_refused(tmp_path, make):
    path = make(tmp_path / "a")
    path.write_bytes(path.read_bytes()[:2000])
    refuses(path, tmp_path, "damaged|neither")


def test_a_changed_byte_is_noticed(tmp_path):
    path = make_zip(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[1500] ^= 0xFF
    path.write_bytes(bytes(content))
    refuses(path, tmp_path, "damaged")


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a").write_text("<html>please log in</html>")
    refuses(tmp_path / "a", tmp_path, "neither a tar nor a zip")
