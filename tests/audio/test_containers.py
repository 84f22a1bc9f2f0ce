"""Each container that libsndfile reads, with a header that says too little or nothing, cut off, or with something behind.

All of the sound is heard, or the file is refused with the reason.
"""

import contextlib
import itertools
import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from pipelines.audio import containers, decode, ffmpeg, probe

RATE, SECONDS = 16_000, 2
BEHIND = "belong to no part of the file"
OPEN = "has no length"
HEARD = ""


class Case(NamedTuple):
    """`length`: bytes of a file -> place of its length, which has the form `form`; `unknown`: the word for "not known" there.

    What becomes of a file whose header says `half`, says `zero`, leaves it `open`; that is `cut` in half; that has half as many
    random bytes `more` behind it: the reason why it is refused, or `HEARD`.
    """

    subtype: str
    length: Callable[[bytes], int] | None
    form: str
    unknown: int
    half: str = BEHIND
    zero: str = HEARD
    open: str = HEARD
    cut: str = "truncated: its header states"
    more: str = BEHIND
    rate: int = RATE


def after(mark: bytes, n: int = 4) -> Callable[[bytes], int]:
    return lambda content: content.index(mark) + n


def at(place: int) -> Callable[[bytes], int]:
    return lambda content: place


CASES = {
    "WAV": Case("PCM_16", after(b"data"), "<I", 0xFFFFFFFF),
    "WAVEX": Case("PCM_24", after(b"data"), "<I", 0x7FFFFFFF),
    "RF64": Case("PCM_16", at(28), "<Q", (1 << 64) - 1, zero="is unknown", open=OPEN),
    "AIFF": Case("PCM_16", after(b"SSND"), ">I", 0xFFFFFFFF),
    "AU": Case("PCM_16", at(8), ">I", 0xFFFFFFFF),
    "AVR": Case("PCM_16", at(26), ">I", 0),
    "CAF": Case("PCM_16", after(b"data"), ">q", -1, zero=OPEN, open=OPEN),
    "MAT4": Case("PCM_16", after(b"wavedata", -12), "<I", 0, zero="is unknown", open="is unknown"),
    "MAT5": Case("PCM_16", after(b"wavedata", 12), "<I", 0),
    "MPC2K": Case("PCM_16", at(30), "<I", 0),
    "SVX": Case("PCM_16", after(b"BODY"), ">I", 0xFFFFFFFF),
    "VOC": Case("PCM_16", at(27), "<H", 0),
    "W64": Case("PCM_16", after(b"data", 16), "<Q", 0),
    "WVE": Case("ALAW", at(18), ">I", 0, rate=8000),
    "FLAC": Case("PCM_16", at(22), ">I", 0, half=HEARD, cut="damaged or truncated", more=HEARD),
    "SDS": Case("PCM_16", None, "", 0),
    "NIST": Case("PCM_16", None, "", 0),
    # what libsndfile itself cannot read of these it says
    "HTK": Case(
        "PCM_16", None, "", 0, cut="not audio that libsndfile can read", more="not audio that libsndfile can read"
    ),
}


def heard(path) -> np.ndarray:
    return np.concatenate(list(decode.blocks(path, RATE)))


def expect(path, reason: str, whole: np.ndarray) -> None:
    if reason:
        with pytest.raises(probe.Unreadable, match=reason):
            heard(path)
    else:
        np.testing.assert_array_equal(heard(path), whole)


@pytest.fixture
def written(tmp_path, chord):
    """(path, content, what is heard of it) of a sound file of a format."""

    def write(kind: str, case: Case):
        path = tmp_path / "sound"
        soundfile.write(path, chord(seconds=SECONDS, rate=case.rate), case.rate, case.subtype, format=kind)
        return path, bytearray(path.read_bytes()), heard(path)

    return write


@pytest.mark.parametrize("kind", [kind for kind, case in CASES.items() if case.length])
@pytest.mark.parametrize("says", ["half", "zero", "open"])
def test_a_header_that_says_too_little(written, kind, says):
    case = CASES[kind]
    path, content, whole = written(kind, case)
    place = case.length(bytes(content))
    (n,) = struct.unpack_from(case.form, content, place)
    assert n
    struct.pack_into(case.form, content, place, {"half": n // 4 * 2, "zero": 0, "open": case.unknown}[says])
    path.write_bytes(content)
    expect(path, getattr(case, says), whole)


@pytest.mark.parametrize("kind", CASES)
def test_half_a_file(written, kind):
    path, content, whole = written(kind, CASES[kind])
    path.write_bytes(content[: len(content) // 2])
    expect(path, CASES[kind].cut, whole)


@pytest.mark.parametrize("kind", CASES)
def test_bytes_behind_the_sound(written, kind):
    path, content, whole = written(kind, CASES[kind])
    path.write_bytes(content + np.random.default_rng(0).bytes(len(content) // 2))
    expect(path, CASES[kind].more, whole)


def test_every_format_is_in_the_table():
    """Or says no length at all: then all that is there is heard. XI says it, and libsndfile writes 0."""
    elsewhere = {"MP3", "OGG"}  # test_whole_file.py, and below
    assert set(soundfile.available_formats()) - set(CASES) - elsewhere == {"RAW", "IRCAM", "PAF", "PVF", "SD2", "XI"}


@pytest.mark.parametrize("kind", ["IRCAM", "PAF", "PVF", "SD2"])
def test_without_a_length_all_that_is_there_is_heard(tmp_path, chord, kind):
    path = tmp_path / "sound.sd2"  # which libsndfile knows by its name
    soundfile.write(path, chord(seconds=SECONDS), RATE, "PCM_16", format=kind)
    whole, content = heard(path), path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    np.testing.assert_array_equal(heard(path), whole[: len(heard(path))])
    assert len(heard(path)) > 0.4 * len(whole)


def chunk(name: bytes, body: bytes, padded: bool = True) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (padded and len(body) % 2)


@pytest.mark.parametrize("odd", [False, True], ids=["even", "odd"])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("behind", [(), (b"LIST",), (b"LIST", b"id3 "), (b"id3 ", b"bext", b"LIST")])
def test_chunks_of_odd_sizes_behind_the_sound_of_a_wav(tmp_path, chord, odd, padded, behind):
    """Half of the file is no sound, and all of that is named."""
    path = tmp_path / "chunks.wav"
    soundfile.write(path, chord(seconds=SECONDS), RATE, "PCM_U8")
    whole, content = heard(path), path.read_bytes()
    place = content.index(b"data")
    sound = content[place + 8 :][: len(whole) - odd]
    more = b"".join(chunk(name, b"INFO" + b"tags!" * 2000 + b"x" * odd, padded) for name in behind)
    body = content[8:place] + chunk(b"data", sound, padded) + more
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    np.testing.assert_array_equal(heard(path), whole[: len(sound)])
    path.write_bytes(path.read_bytes() + np.random.default_rng(1).bytes(20_000))
    expect(path, BEHIND, whole)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "IMA_ADPCM"])
def test_a_chunk_behind_the_sound_of_a_w64_is_no_sound(tmp_path, chord, subtype):
    path = tmp_path / "sound.w64"
    soundfile.write(path, chord(seconds=SECONDS), RATE, subtype)
    whole, content = heard(path), path.read_bytes()
    guid = content[content.index(b"data") + 4 :][:12]
    path.write_bytes(content + b"list" + guid + struct.pack("<Q", 24 + 20_000) + b"tag!" * 5000)
    assert soundfile.info(path).frames > 1.05 * len(whole), "libsndfile plays it"
    np.testing.assert_allclose(heard(path), whole, atol=1 if "ADPCM" in subtype else 0)


@pytest.mark.parametrize("length", [1 << 62, (1 << 63) + 24, (1 << 64) - 1])
def test_a_chunk_that_claims_more_than_a_disk_holds(tmp_path, chord, length, capfd):
    """FFmpeg would seek to its end."""
    path = tmp_path / "sound.w64"
    soundfile.write(path, chord(seconds=SECONDS), RATE)
    content = path.read_bytes()
    place = content.index(b"data")
    path.write_bytes(
        content[:place] + b"junk" + content[place + 4 :][:12] + struct.pack("<Q", length) + content[place:]
    )
    with contextlib.suppress(probe.Unreadable):
        heard(path)
    assert ffmpeg.length(path, "W64") is None
    assert capfd.readouterr().err == ""


def test_a_voc_of_several_blocks(tmp_path, chord):
    path = tmp_path / "sound.voc"
    soundfile.write(path, chord(seconds=1), RATE, "PCM_16")
    whole, content = heard(path), path.read_bytes()
    (first,) = struct.unpack_from("<H", content, 20)
    block, text = content[first:-1], b"\x05" + struct.pack("<I", 400)[:3] + b"words" * 80
    path.write_bytes(content[:-1] + text + block + b"\0")
    np.testing.assert_array_equal(heard(path), np.concatenate([whole, whole]))


def test_a_chunk_behind_the_sound_of_an_iff_is_refused(tmp_path, chord):
    """FFmpeg does not read its 16 bits."""
    path = tmp_path / "sound.iff"
    soundfile.write(path, chord(seconds=SECONDS), RATE, "PCM_16", format="SVX")
    path.write_bytes(path.read_bytes() + b"ANNO" + struct.pack(">I", 4000) + b"word" * 1000)
    expect(path, "follow its sound, and libsndfile would decode them", np.zeros(0))


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("kind", ["noise", "tone", "zeros"])
def test_a_whole_flac_is_decoded_by_libsndfile(tmp_path, channels, kind):
    """FFmpeg counts its samples exactly, whatever the blocks look like."""
    path, n = tmp_path / "whole.flac", 30_011
    y = {
        "noise": np.random.default_rng(0).standard_normal(n) / 9,
        "tone": np.sin(np.arange(n) / 9) / 2,
        "zeros": np.zeros(n),
    }
    for subtype, level in itertools.product(("PCM_S8", "PCM_16", "PCM_24"), (0, 0.5, 1)):
        soundfile.write(path, np.stack([y[kind]] * channels, 1), 44_100, subtype, compression_level=level)
        found = probe.header(path)
        assert found["decoder"] == "libsndfile" and found["duration_s"] == n / 44_100
        assert ffmpeg.length(path, "FLAC").seconds == pytest.approx(n / 44_100, abs=1e-9)


def test_two_flac_files_in_one(tmp_path, chord):
    path = tmp_path / "two.flac"
    soundfile.write(path, chord(seconds=SECONDS), RATE)
    whole = heard(path)
    path.write_bytes(path.read_bytes() * 2)
    np.testing.assert_array_equal(heard(path), np.concatenate([whole, whole]))


@pytest.fixture(params=["VORBIS", "OPUS"])
def pages(request, tmp_path):
    """(path, pages) of an Ogg file of ten seconds; libogg wrote the checksums."""
    path = tmp_path / "whole.ogg"
    soundfile.write(path, np.random.default_rng(0).standard_normal(10 * RATE) * 0.1, RATE, request.param, format="OGG")
    found = [head + body for head, body in containers._ogg_pages(path)]
    assert b"".join(found) == path.read_bytes() and len(found) > 8
    assert containers.ogg(path) == ("", 1)
    return path, found


def sealed(page: bytes) -> bytes:
    """A page with the checksum of what is in it now."""
    n = 27 + page[26]
    return page[:22] + struct.pack("<I", containers._ogg_crc(page[:n], page[n:])) + page[26:]


def moved(page: bytes, position=None, number=None) -> bytes:
    page = page if position is None else page[:6] + struct.pack("<q", position) + page[14:]
    return sealed(page if number is None else page[:18] + struct.pack("<I", number) + page[22:])


def position(page: bytes) -> int:
    return struct.unpack_from("<q", page, 6)[0]


def test_a_bit_that_changed_in_an_ogg_page(pages):
    path, found = pages
    middle = len(found) // 2
    spoilt = bytearray(found[middle])
    spoilt[200] ^= 1
    path.write_bytes(b"".join([*found[:middle], spoilt, *found[middle + 1 :]]))
    expect(path, f"damaged: the checksum of its page {middle} is wrong", np.zeros(0))


@pytest.mark.parametrize("share", [0, 0.5])
def test_an_ogg_whose_last_page_says_too_little(pages, share):
    path, found = pages
    path.write_bytes(b"".join([*found[:-1], moved(found[-1], int(share * position(found[-1])))]))
    expect(path, "ends before the previous one|no samples", np.zeros(0))


def test_an_ogg_with_a_gap_that_its_numbers_do_not_show(pages):
    path, found = pages
    left = found[:4] + found[6:]
    path.write_bytes(b"".join(moved(page, number=number) for number, page in enumerate(left)))
    expect(path, "truncated: its header states 10.0 s", np.zeros(0))


def test_an_ogg_that_begins_late_is_heard(pages):
    """As what is recorded of a stream that has played for an hour."""
    path, found = pages
    whole = heard(path)
    path.write_bytes(b"".join([*found[:2], *(moved(page, position(page) + 3600 * 48_000) for page in found[2:])]))
    assert len(heard(path)) == pytest.approx(len(whole), abs=1024)


def test_chained_ogg_streams_keep_their_pitch(pages, chord):
    """libsndfile decodes Opus at the rate of what was encoded, FFmpeg at 48 kHz."""
    path, _ = pages
    subtype = soundfile.info(path).subtype
    parts = []
    for frequency in (300, 500):
        soundfile.write(
            path, np.sin(2 * np.pi * frequency * np.arange(2 * RATE) / RATE) / 3, RATE, subtype, format="OGG"
        )
        parts.append(path.read_bytes())
    path.write_bytes(b"".join(parts))
    got = heard(path)
    assert len(got) == pytest.approx(4 * RATE, abs=0.05 * RATE)
    for start, frequency in ((0.5, 300), (2.5, 500)):
        spectrum = np.abs(np.fft.rfft(got[int(start * RATE) :][:RATE]))
        assert spectrum.argmax() == frequency
