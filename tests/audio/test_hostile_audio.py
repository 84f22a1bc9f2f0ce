"""Headers that claim what is not there, and small files that hold days."""

import struct

import numpy as np
import pandas as pd
import pytest
import soundfile

from pipelines.audio import decode, probe, shards
from pipelines.core.files import sha256

RATE = 16_000
SETTINGS = {
    "sample_rate": RATE,
    "channels": 1,
    "min_duration_s": 0.1,
    "max_duration_s": 60,
    "silence_dbfs": -80.0,
    "shard_mb": 1,
    "cache": False,
}


def heard(path):
    probe.header(path)
    return sum(len(block) for block in decode.blocks(path, RATE))


@pytest.mark.parametrize("riff", [0x7FFFFFFF, 0xC0000000, 0xFFFFFFFF, 0])
@pytest.mark.parametrize("data", [1 << 30, 0x7FFFFFFF, 0xC0000000, 0xFFFFFFFF])
def test_a_wav_that_claims_gigabytes(tmp_path, chord, riff, data):
    """Refused, or heard for as long as it is: never taken at its word."""
    path = tmp_path / "claims.wav"
    soundfile.write(path, chord(seconds=1), RATE)
    content = bytearray(path.read_bytes())
    place = content.index(b"data")
    content[4:8], content[place + 4 : place + 8] = struct.pack("<I", riff), struct.pack("<I", data)
    path.write_bytes(content)
    try:
        assert heard(path) == RATE
    except probe.Unreadable as error:
        assert "truncated" in str(error)


def test_a_flac_that_claims_a_million_hours(tmp_path, chord):
    path = tmp_path / "claims.flac"
    soundfile.write(path, chord(seconds=1), RATE)
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4  # total samples, 36 bits of STREAMINFO
    path.write_bytes(content)
    with pytest.raises(probe.Unreadable):
        heard(path)


def test_days_in_a_small_file_stop_at_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "days.flac"
    soundfile.write(path, np.full(RATE * 600, 8000, np.int16), RATE)
    good = tmp_path / "good.wav"
    soundfile.write(good, np.sin(np.arange(RATE)), RATE)
    assert path.stat().st_size < 600 * RATE * 2 / 100
    rows = [{"clip_id": p.stem, "path": str(p), "sha256": sha256(p), "duration_s": 1.0} for p in (path, good)]
    decoded = []
    real = decode.blocks
    monkeypatch.setattr(decode, "blocks", lambda *a: (decoded.append(len(b)) or b for b in real(*a)))
    index, quarantine = shards.build(
        pd.DataFrame(rows), tmp_path / "out", SETTINGS, {"kind": "processes", "workers": 1}
    )
    assert list(index["clip_id"]) == ["good"] and "audio.max_duration_s" in quarantine["reason"][0]
    assert sum(decoded) < 90 * RATE or not decoded  # not to the end; empty where another process decoded
    assert sum(p.stat().st_size for p in (tmp_path / "out").iterdir()) < 100_000
