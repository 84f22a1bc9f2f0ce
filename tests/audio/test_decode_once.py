"""Decoded once, whatever happens to names, neighbours and workers; and everything that may be wrong with a file."""

import os
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from helpers import PROJECT

from pipelines.audio import decode, shards
from pipelines.core import cache, pcm
from pipelines.core.shards import open_shards
from pipelines.stages import manifest as manifest_stage

SETTINGS = {
    "sample_rate": 16_000,
    "channels": 1,
    "min_duration_s": 1.0,
    "silence_dbfs": -80.0,
    "shard_mb": 1,
    "cache": True,
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSERVATORY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def listed(paths):
    """A manifest of files, as the stage of that name makes it, and its quarantine."""
    clips = pd.DataFrame({"path": [str(path) for path in paths], "group": [str(path) for path in paths]})
    return manifest_stage.build(clips, PROJECT, {"workers": 1})


def build(paths, folder, **settings):
    good, refused = listed(paths)
    index, quarantine = shards.build(good, folder, SETTINGS | settings, {"workers": 1})
    return index, pd.concat([refused, quarantine], ignore_index=True)


def shard_bytes(folder):
    return [path.read_bytes() for path in sorted(folder.glob("*.npy"))]


@pytest.fixture
def tunes(tmp_path, chord):
    folder = tmp_path / "tunes"
    folder.mkdir()
    paths = []
    for number in range(6):
        paths.append(folder / f"{number}.flac")
        y = chord((220 + 20 * number,), 2.0, 22_050, seed=number)
        soundfile.write(paths[-1], np.stack([y, 0.5 * y], axis=1), 22_050)
    return paths


def test_the_second_time_nothing_is_decoded(tunes, tmp_path, monkeypatch):
    build(tunes, tmp_path / "first")
    good, _ = listed(tunes)
    moved = [path.rename(path.with_name(f"renamed {path.name}")) for path in tunes]
    monkeypatch.setattr(decode, "blocks", lambda *_: pytest.fail("decoded again"))
    shards.build(good, tmp_path / "gone", SETTINGS, {"workers": 1})  # the files are not even looked at
    build(moved, tmp_path / "second")
    assert shard_bytes(tmp_path / "first") == shard_bytes(tmp_path / "second") == shard_bytes(tmp_path / "gone")


def test_a_new_clip_changes_one_shard_and_the_others_are_linked(tunes, tmp_path, chord):
    before, _ = build(tunes, tmp_path / "before")
    soundfile.write(tunes[0].with_name("new.flac"), chord((700,), 2.0, seed=9), 16_000)
    after, _ = build([*tunes, tunes[0].with_name("new.flac")], tmp_path / "after")
    assert len(after) == len(before) + 1
    pairs = list(zip(sorted((tmp_path / "before").iterdir()), sorted((tmp_path / "after").iterdir()), strict=True))
    changed = [old.name for old, new in pairs if old.read_bytes() != new.read_bytes()]
    assert len(changed) == 1
    full = [(old, new) for old, new in pairs if old.stat().st_size > 128 and old.name not in changed]
    assert len(full) >= 3 and all(old.samefile(new) for old, new in full)


def test_without_a_cache_the_bytes_are_the_same(tunes, tmp_path):
    with_cache, _ = build(tunes, tmp_path / "with")
    without, _ = build(tunes, tmp_path / "without", cache=False)
    pd.testing.assert_frame_equal(with_cache, without)
    assert shard_bytes(tmp_path / "with") == shard_bytes(tmp_path / "without")


def test_another_rate_or_more_channels_is_another_clip(tunes, tmp_path):
    build(tunes, tmp_path / "16")
    _, _ = build(tunes, tmp_path / "8", sample_rate=8_000)
    assert len(open_shards(tmp_path / "8")[0]) * 2 == pytest.approx(len(open_shards(tmp_path / "16")[0]), abs=10)
    build(tunes, tmp_path / "stereo", channels=2)
    stereo, mono = open_shards(tmp_path / "stereo")[0], open_shards(tmp_path / "16")[0]
    assert stereo.shape == (len(mono), 2)
    np.testing.assert_allclose(pcm.to_float(stereo), pcm.to_float(mono), atol=2 / 32768)


def test_a_threshold_is_asked_of_what_is_kept(tunes, tmp_path):
    build(tunes, tmp_path / "a")
    index, quarantine = build(tunes, tmp_path / "b", min_duration_s=3.0)
    assert index.empty and set(quarantine["reason"].str.split(":").str[0]) == {"too short"}


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_stereo_equals_soundfile_and_soxr(tmp_path, chord, channels):
    y = np.stack([chord((220 * (n + 1),), 1.3, 44_100) for n in range(channels)], axis=1)
    soundfile.write(tmp_path / "clip.wav", y, 44_100, subtype="FLOAT")
    sides = y if channels == 2 else np.repeat(y.mean(axis=1, keepdims=True), 2, axis=1)
    expected = soxr.resample(sides.astype("float64"), 44_100, 16_000, quality="HQ")
    got = np.concatenate(list(decode.blocks(tmp_path / "clip.wav", 16_000, channels=2))) / 32768
    assert got.shape[1] == 2
    n = min(len(got), len(expected))
    assert abs(len(got) - len(expected)) <= 1
    np.testing.assert_allclose(got[:n], expected[:n], atol=2.5 / 32768)


def test_a_file_that_changes_after_it_was_listed(tunes, tmp_path, chord):
    good, _ = listed(tunes)
    soundfile.write(tunes[2], chord(seconds=2.0, seed=9), 16_000)
    index, quarantine = shards.build(good, tmp_path / "pcm", SETTINGS, {"workers": 1})
    assert len(index) == 5 and quarantine["path"].tolist() == [str(tunes[2])]
    assert "changed" in quarantine["reason"][0]


def test_a_file_that_grows_while_it_is_read(tmp_path, chord):
    path = tmp_path / "recording.wav"
    soundfile.write(path, np.tile(chord(seconds=10.0), 30), 16_000)
    good, _ = listed([path])
    stop = threading.Event()

    def record():
        while not stop.is_set():
            with path.open("ab") as file:
                file.write(b"\1\0" * 1000)

    writer = threading.Thread(target=record)
    writer.start()
    try:
        index, quarantine = shards.build(good, tmp_path / "pcm", SETTINGS, {"workers": 1})
    finally:
        stop.set()
        writer.join()
    assert index.empty and "changed" in quarantine["reason"][0]


FAULTS = {
    "8 channels": ("ok", lambda p, y: soundfile.write(p, np.tile(y[:, None], 8), 16_000)),
    "192 kHz": ("ok", lambda p, y: soundfile.write(p, np.tile(y, 12), 192_000)),
    "8 bit": ("ok", lambda p, y: soundfile.write(p, y, 16_000, subtype="PCM_U8")),
    "24 bit": ("ok", lambda p, y: soundfile.write(p, y, 16_000, subtype="PCM_24")),
    "float": ("ok", lambda p, y: soundfile.write(p, y, 16_000, subtype="FLOAT")),
    "float with NaN": ("NaN", lambda p, y: soundfile.write(p, np.where(y == y[9], np.nan, y), 16_000, subtype="FLOAT")),
    "float with infinity": (
        "infinite",
        lambda p, y: soundfile.write(p, np.where(y == y[9], np.inf, y), 16_000, subtype="FLOAT"),
    ),
    "one sample": ("too short", lambda p, y: soundfile.write(p, y[:1], 16_000)),
    "no samples": ("no samples", lambda p, y: soundfile.write(p, y[:0], 16_000)),
    "zero bytes": ("empty", lambda p, y: p.touch()),
    "text": ("not audio", lambda p, y: p.write_text("la la la")),
    "a folder": ("folder", lambda p, y: p.mkdir()),
    "gone": ("does not exist", lambda p, y: None),
    "a dead link": ("does not exist", lambda p, y: p.symlink_to("/nonexistent")),
    "silence": ("silent", lambda p, y: soundfile.write(p, 0 * y, 16_000)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_bad_file_stops_nothing(fault, tunes, tmp_path, chord):
    expected, make = FAULTS[fault]
    bad = tmp_path / "tunes" / f"{fault}.wav"
    make(bad, chord())
    index, quarantine = build([*tunes[:3], bad, *tunes[3:]], tmp_path / "pcm")
    reasons = dict(zip(quarantine["path"], quarantine["reason"], strict=True))
    if expected == "ok":
        assert len(index) == 7 and not reasons
    else:
        assert len(index) == 6 and list(reasons) == [str(bad)] and expected in reasons[str(bad)]
    good, _ = listed(tunes)
    alone, _ = shards.build(good, tmp_path / "alone", SETTINGS, {"workers": 1})
    kept = index.set_index("clip_id")["sha256"]
    assert kept[alone["clip_id"]].tolist() == alone["sha256"].tolist(), "no label has shifted"


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "aiff", "au"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files(suffix, share, tmp_path, chord):
    path = tmp_path / f"cut.{suffix}"
    soundfile.write(path, chord(seconds=8.0), 16_000)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    index, quarantine = build([path], tmp_path / "pcm")
    assert index.empty and len(quarantine) == 1
    assert "truncated" in quarantine["reason"][0] or "damaged" in quarantine["reason"][0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_no_permission(tunes, tmp_path):
    tunes[0].chmod(0)
    index, quarantine = build(tunes, tmp_path / "pcm")
    assert len(index) == 5 and "cannot be read" in quarantine["reason"][0]


@pytest.mark.system
def test_ten_hours_of_silence_in_bounded_memory(tmp_path):
    """A sparse file of 1.2 GB: refused, and no more memory taken than a few blocks."""
    path = tmp_path / "silence.wav"
    n_bytes = 10 * 3600 * 16_000 * 2
    soundfile.write(path, np.zeros(16, "int16"), 16_000)
    header = bytearray(path.read_bytes()[:44])
    header[4:8], header[40:44] = (n_bytes + 36).to_bytes(4, "little"), n_bytes.to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(44 + n_bytes)
    code = (
        "import sys, resource\n"
        "import pandas as pd\n"
        "from pipelines.audio import shards, probe\n"
        f"settings = {SETTINGS!r}\n"
        "path, out = sys.argv[1:]\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "from pipelines.core.files import sha256\n"
        "rows = [{'clip_id': 'x', 'path': path, 'sha256': sha256(path), **probe.header(path)}]\n"
        "index, quarantine = shards.build(pd.DataFrame(rows), out, settings, {'workers': 1})\n"
        "assert index.empty and 'silent' in quarantine['reason'][0], quarantine\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "pcm")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100_000, "KiB"
    assert all(path.stat().st_size < 1000 for path in (tmp_path / "pcm").iterdir()), "its samples were taken back"
    assert cache.usage() == {}


@pytest.mark.fault
@pytest.mark.cold
def test_a_killed_run_goes_on_from_the_clips_it_had_finished(tunes, tmp_path):
    good, _ = listed(tunes)
    good.to_pickle(tmp_path / "manifest.pkl")  # the test's own file
    code = (
        "import os, sys\n"
        "import pandas as pd\n"
        "from pipelines.audio import decode, shards\n"
        "real, seen = decode.blocks, []\n"
        "def blocks(*arguments):\n"
        "    seen.append(arguments)\n"
        "    if len(seen) == 5:\n"
        "        os._exit(9)\n"
        "    return real(*arguments)\n"
        "decode.blocks = blocks\n"
        f"shards.build(pd.read_pickle(sys.argv[1]), sys.argv[2], {SETTINGS!r}, {{'workers': 1}})\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "manifest.pkl"), str(tmp_path / "pcm")]
    assert subprocess.run(command, cwd=PROJECT).returncode == 9
    assert cache.usage()["pcm"][0] == 8  # samples and record of four clips
    finished = {path: path.stat().st_ino for path in (tmp_path / "cache").rglob("*.npy")}
    index, _ = shards.build(good, tmp_path / "pcm", SETTINGS, {"workers": 1})
    assert len(index) == 6
    assert {path: path.stat().st_ino for path in finished} == finished, "what was finished is not written again"
    build(tunes, tmp_path / "uninterrupted", cache=False)
    assert shard_bytes(tmp_path / "pcm") == shard_bytes(tmp_path / "uninterrupted")
