"""Downloads from a server that breaks off, lies, moves, stalls and refuses."""

import fcntl
import hashlib
import os
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from pipelines.datasets.sources import download
from pipelines.datasets.sources.download import DownloadError, fetch

BODY = np.random.default_rng(0).bytes(400_000)
SHA = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
AT_ONCE = {"waits_s": (0.0, 0.0, 0.0), "spare_bytes": 0}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "downloads" / "archive.tar"


@pytest.fixture
def serve(host):
    """`serve("truncated", "good", path="/a")`: the URL of `BODY` with these behaviours."""

    def at(*behaviours, path="/a"):
        host.files[path] = BODY
        host.behaviours[path] = list(behaviours)
        return host.url + path

    return at


def ranges(host):
    return [asked for _, asked in host.asked]


@pytest.mark.parametrize("checksum", [SHA, MD5])
def test_a_file_is_fetched_once(host, serve, place, checksum):
    url = serve("good")
    for _ in range(2):
        assert fetch([url], [checksum], place, **AT_ONCE) == place
    assert place.read_bytes() == BODY and len(host.asked) == 1
    assert os.listdir(place.parent) == [place.name]


def test_any_of_several_checksums_will_do(serve, place):
    assert fetch([serve("good")], ["md5:" + "0" * 32, SHA], place, **AT_ONCE).read_bytes() == BODY


@pytest.mark.parametrize("behaviour", ["truncated", "stalled"])
def test_a_broken_transfer_goes_on_where_it_broke(host, serve, place, behaviour):
    fetch([serve(behaviour, "good")], [SHA], place, timeout_s=0.3, **AT_ONCE)
    assert place.read_bytes() == BODY
    first, second = ranges(host)
    assert first is None and int(second.removeprefix("bytes=").rstrip("-")) > 0


def test_the_next_run_goes_on_where_this_one_gave_up(host, serve, place):
    url = serve("truncated")
    with pytest.raises(DownloadError, match="are kept"):
        fetch([url], [SHA], place, waits_s=(), spare_bytes=0)
    assert not place.exists(), "half a file is never seen under the name of the whole"
    serve("good")
    fetch([url], [SHA], place, **AT_ONCE)
    assert place.read_bytes() == BODY and ranges(host)[1] is not None


def test_a_server_that_cannot_resume_sends_all_and_that_is_taken(host, serve, place):
    fetch([serve("truncated", "no_range")], [SHA], place, **AT_ONCE)
    assert place.read_bytes() == BODY and len(host.asked) == 2


def test_a_server_that_resumes_elsewhere_is_not_believed(host, serve, place):
    fetch([serve("truncated", "shifted", "good")], [SHA], place, **AT_ONCE)
    assert place.read_bytes() == BODY and ranges(host)[2] is None
    place.unlink()
    with pytest.raises(DownloadError, match="asked for bytes from"):
        fetch([serve("truncated", "shifted")], [SHA], place, waits_s=(0.0,), spare_bytes=0)


def test_a_run_that_was_killed_before_the_rename(host, serve, place):
    place.parent.mkdir()
    place.with_name("archive.tar.part").write_bytes(BODY)
    fetch([serve("good")], [SHA], place, **AT_ONCE)
    assert place.read_bytes() == BODY and ranges(host) == [f"bytes={len(BODY)}-"]


@pytest.mark.parametrize("left", [b"x" * 1000, BODY + b"more"], ids=["other bytes", "too long"])
def test_what_was_resumed_from_another_file_is_fetched_anew(host, serve, place, left):
    place.parent.mkdir()
    place.with_name("archive.tar.part").write_bytes(left)
    fetch([serve("good")], [SHA], place, **AT_ONCE)
    assert place.read_bytes() == BODY and ranges(host)[-1] is None


@pytest.mark.parametrize("behaviour", ["404", "wrong", "page"])
def test_a_host_without_the_file_is_left_for_the_next_at_once(host, serve, place, behaviour):
    urls = [serve(behaviour, path="/bad"), serve("good", path="/good")]
    fetch(urls, [SHA], place, **AT_ONCE)
    assert place.read_bytes() == BODY
    assert [path for path, _ in host.asked] == ["/bad", "/good"]


def test_a_busy_host_is_asked_again(host, serve, place):
    fetch([serve("503", "429", "good")], [SHA], place, **AT_ONCE)
    assert place.read_bytes() == BODY and len(host.asked) == 3


def test_waiting_grows_between_attempts(serve, place, monkeypatch):
    waited = []
    monkeypatch.setattr(download.time, "sleep", waited.append)
    with pytest.raises(DownloadError, match=r"HTTP 503 .*\(4 times\)"):
        fetch([serve("503")], [SHA], place, spare_bytes=0)
    assert waited == [0.0, *download.WAITS_S] and sorted(waited) == waited


def test_each_retry_is_told(serve, place, caplog):
    fetch([serve("503", "429", "good")], [SHA], place, waits_s=(0.0, 0.25), spare_bytes=0)
    lines = [record.getMessage() for record in caplog.records]
    assert [line.startswith(f"archive.tar: try {n} of 3 at http") for n, line in enumerate(lines, 1)] == [True, True]
    assert "HTTP 503" in lines[0] and lines[0].endswith("again in 0 s")
    assert "HTTP 429" in lines[1] and lines[1].endswith("again in 0.25 s")


def test_redirects_are_followed_but_not_in_circles(serve, place):
    serve("good", path="/new")
    fetch([serve("redirect:/round", path="/round"), serve("redirect:/new", path="/old")], [SHA], place, **AT_ONCE)
    assert place.read_bytes() == BODY


def test_a_wrong_file_already_there_is_replaced(serve, place):
    place.parent.mkdir()
    place.write_bytes(b"something else")
    fetch([serve("good")], [SHA], place, **AT_ONCE)
    assert place.read_bytes() == BODY


def test_the_error_says_what_was_tried_and_what_to_do(serve, place):
    urls = [serve("404", path="/gone"), serve("wrong", path="/wrong"), "http://127.0.0.1:1/nobody", "gopher://x/y"]
    with pytest.raises(DownloadError) as error:
        fetch(urls, [SHA], place, "Or use `local`.", **AT_ONCE)
    text = str(error.value)
    assert text.startswith("archive.tar could not be downloaded")
    assert "HTTP 404" in text and "another checksum" in text and SHA in text and str(place) in text
    assert "no connection" in text and "gopher" in text and text.endswith("Or use `local`.")
    assert not place.exists()


def test_a_full_disk_is_said_before_anything_is_written(host, serve, place, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage(10**12, 10**12, 1000))
    with pytest.raises(DownloadError, match="Free space"):
        fetch([serve("good")], [SHA], place, **AT_ONCE)
    assert not list(place.parent.iterdir()) and len(host.asked) == 1, "the next host would not help"


def test_two_runs_do_not_write_one_file(serve, place):
    place.parent.mkdir()
    folder = os.open(place.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        with pytest.raises(DownloadError, match="another run"):
            fetch([serve("good")], [SHA], place, **AT_ONCE)
    finally:
        os.close(folder)


def test_what_cannot_be_checked_is_not_downloaded(host, serve, place):
    with pytest.raises(DownloadError, match="no checksum"):
        fetch([serve("good")], [], place, **AT_ONCE)
    assert not host.asked and not Path(place).exists()


def test_progress_is_shown(serve, place, capsys):
    fetch([serve("good")], [SHA], place, **AT_ONCE)
    assert "download archive.tar" in capsys.readouterr().err
