"""All of a file is heard, or it is refused with the reason: files whose headers say too little, too much, or nothing."""

import struct

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from pipelines.audio import containers, decode, level, probe
from pipelines.predict import taggers as predict

RATE = 16_000
SETTINGS = {"min_duration_s": 0.5, "silence_dbfs": -80.0}


def heard(path) -> np.ndarray:
    """The samples, at full scale 1, of a file that the audio stage would take."""
    found = {}
    samples = np.concatenate(list(level.measure(decode.blocks(path, RATE), RATE, found)))
    level.refuse(found, RATE, SETTINGS)
    return samples / 32768


def patched(path, place, form, value):
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, place, value)
    path.write_bytes(content)
    return path


@pytest.fixture
def loud_then_quiet():
    """3 s that take many bits and 7 s that take few: bit rates that differ along a VBR file."""
    noise = np.random.default_rng(0).standard_normal(3 * RATE) * 0.2
    return np.concatenate([noise, 0.2 * np.sin(2 * np.pi * 440 * np.arange(7 * RATE) / RATE)]).astype(np.float32)


def mp3(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    return path


def first_frame(content: bytes) -> int:
    """Where the second frame of an MP3 begins."""
    return content.index(content[:2], 4)


def without_table(path):
    """As `lame - -` writes it: the first frame, which says how many follow, is left out."""
    content = path.read_bytes()
    path.write_bytes(content[first_frame(content) :])
    assert not containers.has_table_of_contents(path)
    return path


@pytest.mark.parametrize("silence_first", [False, True], ids=["estimated too short", "estimated too long"])
def test_an_mp3_without_a_table_of_contents(tmp_path, loud_then_quiet, silence_first):
    samples = np.concatenate([np.zeros(7 * RATE), loud_then_quiet[: 3 * RATE]]) if silence_first else loud_then_quiet
    whole = mp3(tmp_path / "whole.mp3", samples)
    bare = without_table(mp3(tmp_path / "bare.mp3", samples))
    estimate = soundfile.info(bare).duration
    assert estimate > 11 if silence_first else estimate < 9, "a file that libsndfile misjudges"
    assert probe.header(bare)["duration_s"] == pytest.approx(10, abs=0.15)
    there, all_of_it = heard(bare), heard(whole)
    shift = correlate(there, all_of_it).argmax() - (len(all_of_it) - 1)
    assert 0 <= shift < 2400, "what the table takes from the start is heard: the encoder's delay"
    # apart from the first frame, whose bits lay in the one left out
    np.testing.assert_allclose(there[shift:][4000 : 9 * RATE], all_of_it[4000 : 9 * RATE], atol=2e-3)


@pytest.mark.parametrize(("factor", "reason"), [(0.5, ""), (2, "truncated: its header states 20")])
def test_an_mp3_whose_table_of_contents_is_wrong(tmp_path, loud_then_quiet, factor, reason):
    path = mp3(tmp_path / "wrong.mp3", loud_then_quiet)
    expected, content = len(heard(path)), path.read_bytes()
    tag = max(content.find(b"Xing"), content.find(b"Info"))
    (frames,) = struct.unpack_from(">I", content, tag + 8)
    patched(path, tag + 8, ">I", int(frames * factor))
    if reason:
        with pytest.raises(probe.Unreadable, match=reason):
            heard(path)
    else:
        assert soundfile.info(path).duration < 6
        assert len(heard(path)) == pytest.approx(expected, abs=3000)


def test_an_mp3_with_a_table_is_decoded_as_before(tmp_path, loud_then_quiet):
    path = mp3(tmp_path / "good.mp3", loud_then_quiet)
    assert probe.header(path)["decoder"] == "libsndfile"
    with soundfile.SoundFile(path) as file:
        expected = np.concatenate(list(file.blocks(decode.BLOCK_FRAMES, dtype="float32")))
    np.testing.assert_array_equal(np.rint(expected * 32768), heard(path) * 32768)


@pytest.mark.parametrize("second", [{"rate": 32_000}, {"channels": 2}], ids=["rate", "channels"])
@pytest.mark.parametrize("suffix", ["mp3", "ogg"])
def test_what_changes_on_its_way_is_refused_with_that_reason(tmp_path, chord, suffix, second):
    y = chord(seconds=5)
    soundfile.write(tmp_path / f"1.{suffix}", y, RATE)
    other = np.stack([y, y], axis=1) if "channels" in second else y
    soundfile.write(tmp_path / f"2.{suffix}", other, second.get("rate", RATE))
    path = tmp_path / f"both.{suffix}"
    path.write_bytes(b"".join((tmp_path / f"{n}.{suffix}").read_bytes() for n in (1, 2)))
    with pytest.raises(probe.Unreadable, match="changes within the file") as error:
        heard(path)
    assert "truncated" not in str(error.value)


def test_chained_ogg_streams(tmp_path, chord):
    for n in (1, 2):
        soundfile.write(tmp_path / f"{n}.ogg", chord((220 * n,), seconds=6), RATE)
    path = tmp_path / "chained.oga"
    path.write_bytes((tmp_path / "1.ogg").read_bytes() + (tmp_path / "2.ogg").read_bytes())
    assert soundfile.info(path).duration == 6
    both = np.concatenate([heard(tmp_path / "1.ogg"), heard(tmp_path / "2.ogg")])
    got = heard(path)
    assert len(got) == pytest.approx(len(both), abs=1024)
    np.testing.assert_allclose(got[: 6 * RATE], both[: 6 * RATE], atol=2 / 32768)


def test_a_flac_of_unknown_length(tmp_path, chord):
    path = tmp_path / "piped.flac"
    soundfile.write(path, chord(seconds=3), RATE)
    expected, content = heard(path), bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)  # total samples, 36 bits of STREAMINFO: 0 is "unknown" (RFC 9639, 8.2)
    path.write_bytes(content)
    assert probe.header(path)["duration_s"] == 3
    np.testing.assert_array_equal(heard(path), expected)
    path.write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(probe.Unreadable, match="cannot be decoded|truncated"):
        heard(path)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("riff", [0, 0xFFFFFFFF, None])
def test_a_wav_that_was_never_finished(tmp_path, chord, subtype, riff):
    path = tmp_path / "open.wav"
    soundfile.write(path, chord(seconds=3), RATE, subtype=subtype)
    expected = heard(path)
    patched(path, path.read_bytes().index(b"data") + 4, "<I", 0)
    if riff is not None:
        patched(path, 4, "<I", riff)
    np.testing.assert_array_equal(heard(path), expected)


def test_a_wav_without_samples_holds_none(tmp_path):
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros(0, np.float32), RATE)
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 2000) + b"x" * 2000)
    with pytest.raises(probe.Unreadable, match="no samples"):
        probe.header(path)


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au"])
def test_more_than_the_header_counts(tmp_path, chord, suffix):
    path = tmp_path / f"half.{suffix}"
    soundfile.write(path, chord(seconds=3), RATE)
    content = path.read_bytes()
    place, form = {
        "wav": (content.find(b"data") + 4, "<I"),
        "aiff": (content.find(b"SSND") + 4, ">I"),
        "au": (8, ">I"),
    }[suffix]
    (length,) = struct.unpack_from(form, content, place)
    patched(path, place, form, length // 2 // 2 * 2)
    with pytest.raises(probe.Unreadable, match="belong to no part of the file"):
        probe.header(path)


@pytest.mark.parametrize(
    "behind", [b"LIST" + struct.pack("<I", 4000) + b"x" * 4000, b"TAG" + b" " * 125, bytes(50_000)]
)
def test_tags_and_zeros_behind_the_sound_are_no_sound(tmp_path, chord, behind):
    path = tmp_path / "tagged.wav"
    soundfile.write(path, chord(seconds=3), RATE)
    path.write_bytes(path.read_bytes() + behind)
    assert len(heard(path)) == 3 * RATE


@pytest.mark.parametrize("scale", [2.0, 32768.0])
def test_floats_of_another_scale_are_refused_and_a_few_overs_are_not(tmp_path, chord, scale):
    y = chord(seconds=3)
    path = tmp_path / "floats.wav"
    soundfile.write(path, y / np.abs(y).max() * scale, RATE, subtype="FLOAT")
    if scale == 2:
        assert np.abs(heard(path)).max() == 1
    else:
        with pytest.raises(probe.Unreadable, match=r"beyond full scale, up to 32,768\.0 times it"):
            heard(path)


@pytest.mark.parametrize("offset", [0.0, 0.5])
@pytest.mark.parametrize(("sounding_s", "passes"), [(0, False), (1 / RATE, False), (0.15, True)])
def test_a_constant_or_a_click_is_silence_and_a_short_note_is_not(tmp_path, chord, offset, sounding_s, passes):
    y = np.full(3 * RATE, offset, np.float32)
    n = round(sounding_s * RATE)
    y[1000 : 1000 + n] += 0.4 if n == 1 else chord(seconds=1)[:n]
    for rate in (RATE, 44_100):
        path = tmp_path / f"{rate}.wav"
        soundfile.write(path, y, rate)
        if passes:
            heard(path)
        else:
            with pytest.raises(probe.Unreadable, match="silent"):
                heard(path)


def test_predict_hears_as_much(tmp_path, loud_then_quiet):
    bare = without_table(mp3(tmp_path / "bare.mp3", loud_then_quiet))

    def hear(chunks):
        return chunks.mean(axis=1, keepdims=True), chunks[:, :1]

    found = predict.predict(hear, {"chunk": RATE}, bare)
    assert found["duration_s"] == pytest.approx(10, abs=0.15) and len(found["timeline"]) == 10
    soundfile.write(tmp_path / "constant.wav", np.full(3 * RATE, 0.5), RATE)
    with pytest.raises(probe.Unreadable, match="silent"):
        predict.predict(hear, {"chunk": RATE}, tmp_path / "constant.wav")


def ape(size: int) -> bytes:
    """An APEv2 tag with a picture of so many random bytes, some of which look like MP3 frames."""
    item = struct.pack("<II", size, 2) + b"Cover\0" + np.random.default_rng(1).bytes(size)
    head = [b"APETAGEX", struct.pack("<III", 2000, len(item) + 32, 1)]
    return b"".join(
        [*head, struct.pack("<I", 0xA0000000), bytes(8), item, *head, struct.pack("<I", 0x80000000), bytes(8)]
    )


def id3(size: int) -> bytes:
    return (
        b"ID3\4\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + np.random.default_rng(2).bytes(size)
    )


@pytest.mark.parametrize("with_table", [True, False])
@pytest.mark.parametrize(
    ("before", "behind"),
    [(b"", ape(500_000)), (b"", ape(20_000) + b"TAG" + bytes(125)), (id3(20_000) * 2, b""), (ape(9000), ape(100_000))],
    ids=["cover behind", "cover and title behind", "two tags before", "on both sides"],
)
def test_an_mp3_is_as_long_with_pictures_as_without(tmp_path, loud_then_quiet, with_table, before, behind):
    path = mp3(tmp_path / "a.mp3", loud_then_quiet)
    if not with_table:
        without_table(path)
    expected = probe.header(path)
    content = path.read_bytes()
    path.write_bytes(before + content + behind)
    found = probe.header(path)
    assert found["duration_s"] == pytest.approx(expected["duration_s"], abs=0.08)
    assert len(heard(path)) == pytest.approx(10 * RATE, abs=2500)
    if with_table:
        path.write_bytes(before + content[: len(content) // 2])
        with pytest.raises(probe.Unreadable, match="truncated: its header states 10"):
            heard(path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_without_some_of_its_pages_is_refused(tmp_path, subtype):
    path = tmp_path / "whole.ogg"
    noise = np.random.default_rng(0).standard_normal(20 * RATE) * 0.1
    soundfile.write(path, noise, RATE, format="OGG", subtype=subtype)
    content = path.read_bytes()
    pages = [place for place in range(len(content) - 4) if content[place : place + 5] == b"OggS\0"]
    assert len(heard(path)) == pytest.approx(20 * RATE, abs=1000) and len(pages) > 12
    middle = len(pages) // 2
    cases = {
        "4 pages are missing": content[: pages[middle]] + content[pages[middle + 4] :],
        "there are bytes between its pages": content[: pages[middle]] + b"X" + content[pages[middle] + 1 :],
        "the last page of its stream is missing": content[: pages[-1]],
        "a stream begins before the previous one ends": content[: pages[middle]] + content,
    }
    for why, broken in cases.items():
        path.write_bytes(broken)
        with pytest.raises(probe.Unreadable, match=f"truncated: {why}"):
            heard(path)


def test_a_loud_master_passes_and_a_part_of_another_scale_does_not(tmp_path):
    y = np.sin(np.arange(10 * RATE) / 7).astype(np.float32)
    soundfile.write(tmp_path / "loud.wav", 1.3 * y, RATE, subtype="FLOAT")
    heard(tmp_path / "loud.wav")
    y[: RATE // 2] *= 32768
    soundfile.write(tmp_path / "part.wav", y, RATE, subtype="FLOAT")
    with pytest.raises(probe.Unreadable, match="beyond full scale"):
        heard(tmp_path / "part.wav")


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("seconds", [0.6, 1.5, 3, 5])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_short_ogg_is_heard(tmp_path, chord, subtype, seconds, channels):
    """Its first page of sound is its last."""
    path = tmp_path / "short.ogg"
    soundfile.write(path, np.stack([chord(seconds=seconds)] * channels, axis=1), RATE, format="OGG", subtype=subtype)
    assert probe.header(path)["decoder"] == "libsndfile" and len(heard(path)) == round(seconds * RATE)
