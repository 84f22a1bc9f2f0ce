"""Writing in one rename takes nothing away from what was there but its content."""

import os
import stat
import threading

import pytest

from pipelines.core.files import atomic


def write(path, text):
    with atomic(path) as temporary:
        temporary.write_text(text)


def test_a_file_keeps_its_mode_and_a_new_one_is_for_all_to_read(tmp_path):
    private = tmp_path / "private"
    private.write_text("old")
    private.chmod(0o600)
    for path, mode in ((private, 0o600), (tmp_path / "new", 0o644)):
        write(path, "new")
        assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_text() == "new"


def test_of_a_link_the_file_behind_it_is_written(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link, file = tmp_path / "link", tmp_path / "elsewhere/file"
    for before in ("old", None):  # a link to nothing makes the file
        file.write_text(before) if before else file.unlink()
        link.unlink(missing_ok=True)
        link.symlink_to(file)
        write(link, "new")
        assert link.is_symlink() and file.read_text() == "new" and os.listdir(file.parent) == ["file"]


def test_a_pipe_is_written_into(tmp_path):
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()), daemon=True)
    reader.start()
    write(pipe, "new")
    reader.join(60)
    assert heard == ["new"] and pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_a_full_device_is_an_error_and_stays_a_device():
    with pytest.raises(OSError, match="No space left"):
        write("/dev/full", "new")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_folder_is_an_error(tmp_path):
    with pytest.raises(IsADirectoryError, match="that is a folder"):
        write(tmp_path, "new")
