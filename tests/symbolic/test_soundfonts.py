"""Another SoundFont: it is the one that sounds, its hash is asked for, and its licence is told in its own words."""

import hashlib
import struct

import numpy as np
import pytest

from pipelines.symbolic import render, soundfonts

NOTE = np.dtype(
    [("onset_s", "f8"), ("duration_s", "f8"), ("pitch", "i4"), ("voice", "i4"), ("velocity", "i4"), ("program", "i4")]
)
MUSIC = np.array([(0.0, 0.5, 60, 0, 90, 40), (0.5, 0.5, 67, 1, 80, 73)], dtype=NOTE)


@pytest.fixture(scope="module")
def upside_down(tmp_path_factory):
    """TimGM6mb with every sample negated, and a copyright line: all it plays must be the negative of what that plays."""
    data = bytearray(soundfonts.default().read_bytes())
    place = data.index(b"smpl") + 8
    size = struct.unpack_from("<I", data, place - 4)[0]
    samples = np.frombuffer(bytes(data[place : place + size]), "<i2")
    data[place : place + size] = np.negative(np.maximum(samples, -32767)).astype("<i2").tobytes()
    line = b"ICOP" + struct.pack("<I", 24) + b"(c) nobody,\n in no year\0".ljust(24, b"\0")
    for at in (16, 4):  # the INFO list and the file as a whole grow
        struct.pack_into("<I", data, at, struct.unpack_from("<I", data, at)[0] + len(line))
    data[24:24] = line
    path = tmp_path_factory.mktemp("fonts") / "upside down.sf2"
    path.write_bytes(data)
    return path


def test_the_named_font_is_the_one_that_sounds(upside_down):
    sound = render.mix(MUSIC, 16_000, 1.0, -20.0)
    other = render.mix(MUSIC, 16_000, 1.0, -20.0, upside_down)
    assert np.abs(sound).max() > 0.1
    np.testing.assert_allclose(other, -sound, atol=1e-4)  # -32768 has no negative


def test_its_hash_is_asked_for_and_another_file_refused(upside_down):
    wanted = hashlib.sha256(upside_down.read_bytes()).hexdigest()
    assert soundfonts.find(str(upside_down), wanted) == upside_down
    assert soundfonts.find(None, None) == soundfonts.default()
    with pytest.raises(ValueError, match=f"needs its hash in params.yaml: {wanted}.*soundfont_sha256: {wanted}"):
        soundfonts.find(str(upside_down), None)
    with pytest.raises(ValueError, match=f"has the SHA-256 {wanted}, not 00"):
        soundfonts.find(str(upside_down), "00")


def test_what_is_no_soundfont_is_said(tmp_path, upside_down):
    with pytest.raises(ValueError, match="there is no SoundFont .*apt install fluidr3mono-gm-soundfont"):
        soundfonts.find(str(tmp_path / "none.sf2"), "0")
    for content in (b"", b"not a font", b"RIFF\0\0\0\0WAVEfmt \0\0\0\0INFO"):
        (tmp_path / "text.sf2").write_bytes(content)
        with pytest.raises(ValueError, match="is not a SoundFont"):
            soundfonts.find(str(tmp_path / "text.sf2"), "0")
    cut = tmp_path / "cut.sf2"
    cut.write_bytes(upside_down.read_bytes()[:100_000])
    with pytest.raises(ValueError, match="truncated or damaged"):
        render.mix(MUSIC, 16_000, 1.0, -20.0, cut)


def test_the_licence_is_in_the_fonts_own_words(upside_down):
    assert soundfonts.information(upside_down)["INAM"] == "TimGM6mb"
    assert soundfonts.licence(upside_down) == "sound: upside down.sf2, which says: (c) nobody, in no year"
    assert soundfonts.licence(soundfonts.default()) == soundfonts.TIMGM6MB
