"""Decoding against soundfile and soxr themselves; bad files against what a person would say of them."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from pipelines.audio import decode, probe, shards
from pipelines.core.files import sha256
from pipelines.core.shards import open_shards

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


def decoded(path, rate=16_000):
    return np.concatenate(list(decode.blocks(path, rate)))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT"])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (8_000, 1), (192_000, 3), (22_050, 8)])
def test_equals_soundfile_downmix_and_soxr(tmp_path, chord, subtype, rate, channels):
    y = np.stack([chord((220 * (n + 1),), 1.3, rate) for n in range(channels)], axis=1)
    path = tmp_path / "clip.wav"
    soundfile.write(path, y, rate, subtype=subtype)
    mono = soundfile.read(path, dtype="float64", always_2d=True)[0].mean(axis=1)
    expected = soxr.resample(mono, rate, 16_000, quality="HQ") if rate != 16_000 else mono
    got = decoded(path) / 32768
    assert abs(len(got) - len(expected)) <= 1
    n = min(len(got), len(expected))
    np.testing.assert_allclose(got[:n], expected[:n], atol=2.5 / 32768)


def test_sixteen_bit_mono_passes_unchanged(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32768, 300_000).astype(np.int16)
    soundfile.write(tmp_path / "clip.flac", samples, 16_000)
    np.testing.assert_array_equal(decoded(tmp_path / "clip.flac"), samples)


def test_floats_beyond_full_scale_are_clipped(tmp_path):
    soundfile.write(tmp_path / "clip.wav", np.array([2.0, -2.0] + [0.5] * 98, np.float32), 16_000, subtype="FLOAT")
    assert set(decoded(tmp_path / "clip.wav").tolist()) == {32767, -32768, 16384}


def test_every_clip_is_in_the_index_or_in_quarantine_and_reads_back(songs, tmp_path):
    root, reasons = songs
    paths = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".jpg")
    rows, refused = [], {}
    for path in paths:
        try:
            rows.append({"clip_id": str(path), "path": str(path), "sha256": sha256(path), **probe.header(path)})
        except probe.Unreadable as error:
            refused[path.name] = str(error)
    index, quarantine = shards.build(pd.DataFrame(rows), tmp_path / "pcm", SETTINGS, {"workers": 2})
    refused |= {row.path.rsplit("/", 1)[1]: row.reason for row in quarantine.itertuples()}
    assert len(index) == 10 and len(index) + len(refused) == len(paths)
    for name, reason in refused.items():
        assert reasons[name] in reason, (name, reason)
    pcm = open_shards(tmp_path / "pcm")
    for row in index.itertuples():
        clip = pcm[row.shard][row.offset : row.offset + row.length]
        np.testing.assert_array_equal(clip, decoded(row.clip_id))
        assert row.peak > 0.1


def test_shards_do_not_depend_on_the_number_of_workers(songs, tmp_path):
    root, _ = songs
    paths = sorted(root.rglob("a *"))
    manifest = pd.DataFrame(
        [
            {"clip_id": str(n), "path": str(path), "sha256": sha256(path), **probe.header(path)}
            for n, path in enumerate(paths)
        ]
    )
    for workers in (1, 2):
        shards.build(manifest, tmp_path / str(workers), SETTINGS | {"cache": False}, {"workers": workers})
    names = [path.name for path in sorted((tmp_path / "1").iterdir())]
    assert names == [path.name for path in sorted((tmp_path / "2").iterdir())]
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_streamed_wav_of_unknown_length_is_not_truncated(tmp_path, chord):
    path = tmp_path / "piped.wav"
    soundfile.write(path, chord(), 16_000)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # as encoders writing to a pipe leave them
    path.write_bytes(data)
    assert probe.header(path)["duration_s"] == pytest.approx(2.0, abs=0.01)


def test_missing_file_says_so(tmp_path):
    with pytest.raises(probe.Unreadable, match="does not exist"):
        probe.header(tmp_path / "gone.wav")
