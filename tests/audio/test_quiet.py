"""libmpg123's remarks stay off standard error, and nothing else does."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from pipelines.audio.quiet import without_remarks

HEAR = {
    "libsndfile": "import soundfile; soundfile.info(path); soundfile.read(path)",
    "decode": "from pipelines.audio import decode; list(decode.blocks(path, 16_000))",
    "predict": "from pipelines.predict import taggers; taggers.predict(lambda x: (x[:, :1], x[:, :1]), {'chunk': 16_000}, path)",
    "listing": "from pipelines.core.files import place; from pipelines.datasets import listing; "
    "listing.scan(place(os.path.dirname(path)))",
}


@pytest.mark.parametrize("way", HEAR)
@pytest.mark.parametrize("damage", ["noise on the way", "cut off"])
def test_an_mp3_that_libmpg123_has_remarks_on(tmp_path, way, damage):
    path = tmp_path / "music" / "damaged.sound"  # a suffix that says nothing: the listing looks into it
    path.parent.mkdir()
    noise = np.random.default_rng(0)
    soundfile.write(path, noise.standard_normal(80_000) * 0.1, 16_000, format="MP3")
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + (noise.bytes(5000) + content[half:] if damage == "noise on the way" else b""))
    code = f"""
import os, sys
path = {str(path)!r}
print("before", file=sys.stderr)
try:
    {HEAR[way]}
except Exception as error:
    print(type(error).__name__, file=sys.stderr)
os.write(2, b"after\\n")
"""
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    lines = told.stderr.splitlines()
    assert told.returncode == 0 and lines[0] == "before" and lines[-1] == "after"
    if way == "libsndfile":
        assert any("Xing stream size" in line for line in lines), "the test's file is one that it remarks on"
    else:
        assert lines[1:-1] == ([] if way == "listing" else ["Unreadable"])


def test_what_others_write_comes_through(capfd):
    with without_remarks():
        os.write(2, b"Note: Trying to resync...\na line of another thread\n\n[src/libmpg123/id3.c] error: x\nthe rest")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "a line of another thread\nthe rest"
    with pytest.raises(ZeroDivisionError), without_remarks():
        raise ZeroDivisionError
    os.write(2, b"Note: after\n")
    assert capfd.readouterr().err == "Note: after\n"


def test_a_second_thread_does_not_wait_nor_lose_standard_error(capfd):
    entered, leave = threading.Event(), threading.Event()

    def other():
        with without_remarks():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with without_remarks():
        thread.start()
        assert entered.wait(30)
    os.write(2, b"of the first\n")
    leave.set()
    thread.join()
    os.write(2, b"of both\n")
    assert capfd.readouterr().err == "of the first\nof both\n"


def test_without_standard_error_files_are_read_all_the_same(tmp_path):
    soundfile.write(tmp_path / "sound.mp3", np.sin(np.arange(16_000)) / 2, 16_000)
    code = "from pipelines.audio import decode; print(sum(map(len, decode.blocks('sound.mp3', 16_000))))"
    command = f'exec "{sys.executable}" -c "{code}" 2>&-'
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    told = subprocess.run(command, shell=True, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)
    assert told.returncode == 0 and int(told.stdout) == 16_000
