"""Audio of every format: heard in bounded memory and length, or `Unreadable`; nothing else."""

import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bytes_of import LENGTHS, files, fuzz
from hypothesis import given
from hypothesis import strategies as st

from pipelines.audio import decode, probe

pytestmark = pytest.mark.fault

RATE = 16_000
LIMIT = 600 * RATE  # samples; the stage has audio.max_duration_s
FORMATS = {
    "wav": "PCM_16",
    "flac": "PCM_16",
    "ogg": "VORBIS",
    "mp3": "MPEG_LAYER_III",
    "au": "PCM_16",
    "aiff": "PCM_16",
    **dict.fromkeys(("caf", "rf64", "w64", "voc", "svx", "mat4", "mat5", "nist", "mpc2k", "avr", "sds", "xi"), ""),
}
MONO = ("svx", "sds", "xi")


def sound(suffix: str) -> bytes:
    t = np.arange(RATE // 2) / RATE
    sounding = 0.3 * np.sin(2 * np.pi * 440 * t) * np.exp(-3 * t)
    sides = sounding if suffix in MONO else np.stack([sounding, sounding[::-1]], 1)
    with tempfile.NamedTemporaryFile() as file:
        soundfile.write(file.name, sides, RATE, FORMATS[suffix] or None, format=suffix)
        return Path(file.name).read_bytes()


def hear(path, content: bytes, channels: int = 1) -> int | None:
    """Samples that came out, or None where the file was refused."""
    path.write_bytes(content)
    n = 0
    try:
        told = probe.header(path)
        assert 0 < told["duration_s"] < float("inf") and probe.RATES[0] <= told["sample_rate"] <= probe.RATES[1]
        for block in decode.blocks(path, RATE, channels):
            assert block.dtype == np.int16 and block.shape[1:] == (() if channels == 1 else (2,))
            n += len(block)
            if n > LIMIT:
                return n
    except probe.Unreadable as error:
        assert str(error)
        return None
    return n


@pytest.mark.parametrize("suffix", FORMATS)
def test_spoilt_sound(tmp_path, suffix):
    @fuzz
    @given(files(sound(suffix)), st.sampled_from((1, 2)))
    def target(content, channels):
        hear(tmp_path / f"clip.{suffix}", content, channels)

    assert hear(tmp_path / f"clip.{suffix}", sound(suffix))
    target()


field = st.sampled_from(LENGTHS) | st.integers(0, 1 << 32)


@fuzz
@given(
    riff=field,
    fmt_size=field | st.just(16),
    kind=st.sampled_from((1, 3, 6, 7, 0xFFFE, 0x55, 2, 0x11)) | field,
    channels=st.integers(0, 9) | field,
    rate=st.sampled_from((0, 1, 8000, RATE, 768_000)) | field,
    align=field | st.just(2),
    bits=st.sampled_from((0, 1, 8, 16, 24, 32, 64)) | field,
    more=st.binary(max_size=60),
    data_size=field | st.just(2000),
)
def test_wav_headers(tmp_path_factory, riff, fmt_size, kind, channels, rate, align, bits, more, data_size):
    """Every field of a header says what it likes, over 2,000 bytes of sound."""
    u16, u32 = 0xFFFF, 0xFFFFFFFF
    fmt = struct.pack("<HHIIHH", kind & u16, channels & u16, rate & u32, rate * 2 & u32, align & u16, bits & u16)
    content = b"RIFF" + struct.pack("<I", riff & u32) + b"WAVEfmt " + struct.pack("<I", fmt_size & u32) + fmt + more
    content += b"data" + struct.pack("<I", data_size & u32) + bytes(range(250)) * 8
    found = hear(tmp_path_factory.getbasetemp() / "header.wav", content)
    assert found is None or found <= LIMIT
