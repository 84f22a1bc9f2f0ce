"""Degradations are what they say: measured noise, bitrate, alignment, frequency and length."""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile

from pipelines.evaluation import robustness

pytestmark = pytest.mark.filterwarnings("error")
RATE = 16000


def sine(hz=440.0, seconds=4.0, rate=RATE):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def frequency(samples, rate=RATE):
    """Of the highest peak of the spectrum, by the parabola through it and its neighbours."""
    spectrum = np.log(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) + 1e-12)
    peak = spectrum.argmax()
    low, mid, high = spectrum[peak - 1 : peak + 2]
    return (peak + 0.5 * (low - high) / (low - 2 * mid + high)) * rate / len(samples)


@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 30.0])
def test_noise_has_its_ratio_and_is_white(snr_db):
    clean = sine()
    added = robustness.noise(clean, RATE, seed=3, snr_db=snr_db).astype(np.float64) - clean
    measured = 10 * np.log10(np.mean(clean.astype(np.float64) ** 2) / np.mean(added**2))
    assert measured == pytest.approx(snr_db, abs=0.01)
    bands = np.array([band.mean() for band in np.array_split(np.abs(np.fft.rfft(added)) ** 2, 8)])
    np.testing.assert_allclose(bands / bands.mean(), 1, atol=0.1)


def test_noise_in_silence_is_silence():
    assert not robustness.noise(np.zeros(100, np.float32), RATE, seed=0).any()


@pytest.mark.parametrize("rate", robustness.CODED_HZ)
def test_mp3_has_its_bitrate_and_no_delay(rate):
    clip = (0.1 * np.random.default_rng(0).standard_normal(5 * rate)).astype(np.float32)
    kbps = len(robustness.mp3_bytes(clip, rate, 64)) * 8 / 5 / 1000
    assert 64 <= kbps < 68  # the header, and frames for the encoder's delay
    decoded = robustness.mp3(clip, rate)
    assert decoded.shape == clip.shape and decoded.dtype == np.float32
    spectrum = np.fft.rfft(decoded, 2 * len(clip)) * np.conj(np.fft.rfft(clip, 2 * len(clip)))
    assert np.fft.irfft(spectrum).argmax() == 0  # cross-correlation is highest where nothing is shifted


def test_fewer_bits_lose_more():
    clip = (0.1 * np.random.default_rng(0).standard_normal(3 * 44100)).astype(np.float32)
    errors = [np.mean((robustness.mp3(clip, 44100, kbps=kbps) - clip) ** 2) for kbps in (320, 128, 64)]
    assert errors == sorted(errors) and errors[0] < 0.5 * errors[2]
    sizes = [len(robustness.mp3_bytes(clip, 44100, kbps)) * 8 / 3 / 1000 for kbps in (32, 64, 128, 320)]
    np.testing.assert_allclose(sizes, [32, 64, 128, 320], rtol=0.04)


def test_the_mp3_is_one():
    file = soundfile.info(io.BytesIO(robustness.mp3_bytes(sine(), RATE, 64)))
    assert file.format == "MP3" and file.samplerate == RATE and file.channels == 1


@pytest.mark.parametrize("semitones", [-1.0, 1.0])
def test_pitch_moves_by_semitones_and_keeps_the_length(semitones):
    shifted = robustness.pitch(sine(), RATE, semitones=semitones)
    assert shifted.shape == sine().shape and shifted.dtype == np.float32
    assert frequency(shifted[8000:-8000]) == pytest.approx(440 * 2 ** (semitones / 12), rel=1e-3)
    assert frequency(sine()[8000:-8000]) == pytest.approx(440, rel=1e-4)


def test_pitch_keeps_the_tempo():
    clicks = np.zeros(4 * RATE, np.float32)
    clicks[RATE :: RATE // 2] = 1
    shifted = robustness.pitch(clicks, RATE)
    energy = [np.square(shifted[at - 1500 : at + 1500]).sum() for at in range(RATE, 4 * RATE - 2000, RATE // 2)]
    assert sum(energy) > 0.9 * np.square(shifted).sum()


def test_an_excerpt_is_a_piece_of_the_clip():
    clip = np.arange(10 * RATE, dtype=np.float32)
    found = [robustness.excerpt(clip, RATE, seed) for seed in range(20)]
    for piece in found:
        assert len(piece) == 3 * RATE
        np.testing.assert_array_equal(piece, clip[int(piece[0]) : int(piece[0]) + 3 * RATE])
    assert len({piece[0] for piece in found}) > 15
    np.testing.assert_array_equal(robustness.excerpt(clip[:100], RATE, 0), clip[:100])


@pytest.mark.parametrize("name", robustness.DEGRADATIONS)
def test_every_degradation(name):
    degrade = robustness.DEGRADATIONS[name]
    clip = sine(seconds=3.5)
    kept = clip.copy()
    found = degrade(clip, RATE, seed=1)
    np.testing.assert_array_equal(clip, kept)
    np.testing.assert_array_equal(found, degrade(clip, RATE, seed=1))
    assert found.dtype == np.float32 and np.isfinite(found).all()
    assert len(found) == (3 * RATE if name == "excerpt_3s" else len(clip))
    assert not np.array_equal(found, clip)
    assert len(degrade(clip[:100], RATE, seed=1)) == 100
    assert not degrade(np.zeros(RATE, np.float32), RATE, seed=1).any()
    with pytest.raises(ValueError, match="NaN"):
        degrade(np.full(5, np.nan), RATE, seed=1)
    with pytest.raises(ValueError, match="mono"):
        degrade(np.zeros((5, 2)), RATE, seed=1)


def test_wrong_settings():
    with pytest.raises(ValueError, match="96000"):
        robustness.mp3(sine(), 96000)
    with pytest.raises(ValueError, match="8 to 160"):
        robustness.mp3(sine(), RATE, kbps=320)
    with pytest.raises(ValueError, match="no samples"):
        robustness.excerpt(sine(), RATE, 0, seconds=0)


def test_two_minutes_are_changed_whole():
    clip = sine(seconds=120)
    for name, plain in (("noise_20db", robustness.noise), ("mp3_64", robustness.mp3)):
        np.testing.assert_array_equal(robustness.DEGRADATIONS[name](clip, RATE, 5), plain(clip, RATE, 5))


@pytest.mark.parametrize("name", [name for name in robustness.DEGRADATIONS if name != "excerpt_3s"])
def test_long_clips_keep_length_and_place_in_pieces(name):
    clip = sine(seconds=125.3)
    found = robustness.DEGRADATIONS[name](clip, RATE, 5)
    assert found.shape == clip.shape and found.dtype == np.float32
    shift = {"pitch_up": 1, "pitch_down": -1}.get(name, 0)
    for start in (10, 60, 115):  # in each of the three pieces
        assert frequency(found[start * RATE : (start + 4) * RATE]) == pytest.approx(440 * 2 ** (shift / 12), rel=2e-3)
    np.testing.assert_array_equal(robustness.DEGRADATIONS[name](clip, RATE, 5), found)


def test_pieces_are_of_a_minute_and_draw_their_own():
    asked = []

    def told(samples, rate, seed):
        asked.append((len(samples), seed))
        return samples

    clip = np.arange(100 * 121 + 1, dtype=np.float32)  # two minutes and a little
    np.testing.assert_array_equal(robustness.in_pieces(told, clip, 100, 7), clip)
    assert sum(n for n, _ in asked) == len(clip) and len({seed for _, seed in asked}) == len(asked) == 3
    assert max(n for n, _ in asked) <= 6000 and min(n for n, _ in asked) > 4000
    first = [seed for _, seed in asked]
    robustness.in_pieces(told, clip, 100, 8)
    assert not set(first) & {seed for _, seed in asked[3:]}


def test_five_minutes_take_the_memory_of_one():
    def peak(seconds):
        clip = np.random.default_rng(0).standard_normal(round(seconds * 4000)).astype(np.float32)
        tracemalloc.start()
        try:
            changed = robustness.DEGRADATIONS["pitch_up"](clip, 4000, 0)
            assert len(changed) == len(clip)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # what is loaded once
    minute, five = peak(60), peak(300)
    assert five < 2 * minute  # in one piece it would be five times as much
