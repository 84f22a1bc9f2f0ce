"""What must hold by definition, on generated signals."""

import librosa
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import features
from pipelines.features.kernels import chroma, cqt, mel, pooling, stft

RATE = 16_000
few = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def compute(name, y, **parameters):
    return features.load(name).compute(y.astype(np.float32), RATE, **parameters)


def tone(hz, seconds=1.0):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)


def noise(seed, n=8000):
    return 0.1 * np.random.default_rng(seed).standard_normal(n)


def inner(frames, n=4):
    """Frames whose windows lie within the signal."""
    return frames[n:-n]


@few
@given(st.integers(5, 1000))
def test_a_sine_at_a_bins_centre(place):
    """Three bins, 1/2, 1, 1/2: the centroid is the tone, the bandwidth a bin over sqrt 2, the peak n_fft / 4 a unit."""
    step = RATE / 2048
    y = tone(place * step)
    assert inner(compute("spectral_centroid", y)) == pytest.approx(place * step, rel=1e-3)
    assert inner(compute("spectral_bandwidth", y)) == pytest.approx(
        step / np.sqrt(2), rel=0.2
    )  # rounding of y is far off
    spectrum = inner(compute("stft", y))
    assert (spectrum.argmax(axis=1) == place).all()
    assert spectrum.max() == pytest.approx(0.5 * 2048 / 4, rel=1e-3)
    assert (inner(compute("spectral_flatness", y)) < 1e-3).all()
    assert inner(compute("rms", y)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


@few
@given(seeds)
def test_parseval(seed):
    """A frame's windowed energy is its spectrum's."""
    y, n_fft = noise(seed, 2048).astype(np.float32), 512
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(y, n_fft // 2), n_fft)[::128]
    energy = ((frames * stft.window(n_fft)) ** 2).sum(axis=1)
    power = compute("stft", y, n_fft=n_fft, hop_length=128).astype(np.float64) ** 2
    found = (2 * power.sum(axis=1) - power[:, 0] - power[:, -1]) / n_fft
    np.testing.assert_allclose(found, energy, rtol=1e-4)


@few
@given(seeds, st.floats(0.05, 8))
def test_a_gain_moves_decibels_and_leaves_shapes(seed, gain):
    y = noise(seed)
    moved = compute("log_mel_slaney", gain * y) - compute("log_mel_slaney", y)
    np.testing.assert_allclose(moved, 20 * np.log10(gain), atol=1e-3)
    mfcc = compute("mfcc", gain * y) - compute("mfcc", y)
    np.testing.assert_allclose(mfcc[:, 0], 20 * np.log10(gain) * np.sqrt(128), atol=0.01)
    np.testing.assert_allclose(mfcc[:, 1:], 0, atol=0.01)
    for name in ("rms", "stft", "cqt"):
        np.testing.assert_allclose(compute(name, gain * y), gain * compute(name, y), rtol=1e-3, atol=1e-6)
    for name in ("spectral_centroid", "spectral_bandwidth", "chroma_stft", "chroma_cqt", "zero_crossing_rate"):
        np.testing.assert_allclose(compute(name, gain * y), compute(name, y), rtol=1e-4, atol=1e-5)


@few
@given(seeds, st.integers(1, 5))
def test_a_shift_by_hops_shifts_frames(seed, hops):
    y = noise(seed)
    late = np.concatenate([np.zeros(hops * 512), y])
    for name in ("stft", "log_mel_slaney", "spectral_contrast", "rms", "chroma_stft"):
        once, shifted = compute(name, y), compute(name, late)
        n = 2048 // 2 // 512 + 1  # frames that see the start
        np.testing.assert_allclose(shifted[hops + n :], once[n:], rtol=1e-4, atol=1e-3)
    once, shifted = compute("cqt", y, fmin=440.0, n_bins=36), compute("cqt", late, fmin=440.0, n_bins=36)
    np.testing.assert_allclose(shifted[hops + 6 :], once[6:], atol=1e-4)


@pytest.mark.parametrize("name", ["chroma_stft", "chroma_cqt", "chroma_cens"])
@pytest.mark.parametrize("semitones", range(1, 12))
def test_a_transposed_tone_rolls_its_chroma(name, semitones):
    found = inner(compute(name, tone(440 * 2 ** (semitones / 12))), 8)
    assert (found.argmax(axis=1) == (9 + semitones) % 12).all()


@few
@given(st.integers(0, 83))
def test_a_tone_peaks_in_its_constant_q_bin(place):
    found = inner(compute("cqt", tone(cqt.C1 * 2 ** (place / 12), 3.0)), 30)
    assert (found.argmax(axis=1) == place).all()


@pytest.mark.parametrize("cents", [-40, -10, 0, 25])
def test_tuning_is_found(cents):
    y = sum(tone(440 * 2 ** ((semitones + cents / 100) / 12)) for semitones in (0, 4, 7)) / 3
    from pipelines.features.kernels import tuning

    assert tuning.estimate(y.astype(np.float32), RATE) == pytest.approx(cents / 100, abs=0.03)


@few
@given(seeds)
def test_tonnetz_of_a_chroma_turned_by_an_octave_is_itself(seed):
    values = np.random.default_rng(seed).random((5, 12)).astype(np.float32)
    np.testing.assert_allclose(chroma.tonnetz(np.roll(values, 12, axis=1)), chroma.tonnetz(values))
    fifths = np.linalg.norm(chroma.tonnetz(np.eye(12, dtype=np.float32))[:, :2], axis=1)
    np.testing.assert_allclose(fifths, 1, rtol=1e-6)  # every pitch class lies on the circle of fifths


@pytest.mark.parametrize("bpm", [75, 100, 125])
def test_a_click_track_gives_its_tempo_and_beats(bpm):
    y = 1e-4 * noise(0, RATE * 20)
    clicks = (np.arange(0.5, 19.5, 60 / bpm) * RATE).astype(int)
    for click in clicks:
        y[click : click + 400] += 0.5 * np.hanning(400) * noise(1, 400) * 10
    period = 60 * RATE / 512 / bpm
    assert abs(60 * RATE / 512 / compute("tempo", y)["tempo"] - period) <= 1, "within a frame's width of the period"
    beats = compute("beats", y)[:, 0]
    assert len(beats) >= len(clicks) - 3
    assert np.abs(beats[:, None] - clicks / RATE).min(axis=1).max() < 0.065, "two frames"
    assert (np.diff(beats) > 0).all()


@few
@given(seeds)
def test_harmonic_and_percussive_add_up(seed):
    y = noise(seed) + tone(880, 0.5)
    both, whole = compute("hpss", y, n_fft=512), compute("stft", y, n_fft=512)
    np.testing.assert_allclose(both[:, :257] + both[:, 257:], whole, atol=1e-4 * whole.max())


def test_hpss_tells_tones_from_clicks():
    clicks = np.zeros(RATE)
    clicks[4000::4000] = 1
    for y, louder in ((tone(1000), 0), (clicks, 1)):
        halves = np.split(inner(compute("hpss", y)), 2, axis=1)
        energies = [np.square(half, dtype=np.float64).sum() for half in halves]
        assert energies[louder] > 10 * energies[1 - louder]


def test_f0_of_a_tone():
    hz, voiced, probability = inner(compute("f0", tone(220.0), fmin=100.0, fmax=800.0)).T
    np.testing.assert_allclose(hz, 220, rtol=0.005)
    assert voiced.all() and (probability > 0.5).all()


@few
@given(seeds, st.integers(9, 60), st.integers(1, 20))
def test_statistics_are_scipys(seed, n, bands):
    frames = np.random.default_rng(seed).gamma(2.0, size=(n, bands)).astype(np.float32)
    expected = {
        **{name: getattr(np, name)(frames.astype(float), axis=0) for name in ("mean", "std", "min", "max", "median")},
        "skew": scipy.stats.skew(frames.astype(float), axis=0),
    }
    assert set(expected) == set(pooling.STATISTICS)
    for name, values in expected.items():
        np.testing.assert_allclose(pooling.statistic(name, frames), values, rtol=1e-6, atol=1e-9)
    assert not pooling.statistic("skew", np.full((n, 2), 0.1, np.float32)).any()


def test_a_straight_line_has_a_constant_delta():
    line = np.arange(20, dtype=np.float32)[:, None] * [2, -3]
    np.testing.assert_allclose(pooling.delta(line), np.tile([2, -3], (20, 1)), atol=1e-5)
    np.testing.assert_allclose(pooling.delta(line**2, 2), np.tile([8, 18], (20, 1)), atol=1e-3)
    assert pooling.delta(line[:3]).shape == (3, 2)


def test_pooled_names_what_it_pools():
    found = compute(
        "pooled",
        noise(0),
        descriptors=["rms", "tonnetz", "onset_strength"],
        statistics=["mean", "std", "min", "max", "median", "skew"],
        deltas=2,
    )
    assert len(found) == (1 + 6 + 1) * 3 * 6
    assert {"rms_mean", "rms_delta_skew", "tonnetz_delta2_005_median", "onset_strength_max"} <= set(found)
    assert np.isfinite(list(found.values())).all()


@pytest.mark.parametrize("htk", [True, False])
@pytest.mark.parametrize("norm", [None, "slaney"])
@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels", "fmin", "fmax"), [(16_000, 512, 128, 0, 8000), (22_050, 2048, 40, 60, None)]
)
def test_filters_are_librosas_to_the_bit(htk, norm, rate, n_fft, n_mels, fmin, fmax):
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm)
    found = mel.dense(mel.mel_filters(rate, n_fft, n_mels, fmin, fmax, htk, norm), 1 + n_fft // 2)
    np.testing.assert_array_equal(found, expected)
