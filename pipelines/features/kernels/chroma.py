"""Chroma: the energy of each pitch class, C first; CENS and tonnetz are computed from it."""

from functools import lru_cache

import numpy as np
import scipy.ndimage

from pipelines.features.kernels import cqt, exact, sharing, signal, stft, tuning

OCTAVE_CENTRE, OCTAVE_WIDTH = 5.0, 2.0  # a Gaussian over octaves (of 27.5 Hz and up) that weighs a chroma filter
CENS_STEPS = (0.4, 0.2, 0.1, 0.05)  # Mueller & Ewert 2011: a quarter for each step a share of energy passes


def from_spectrum(
    y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int, n_chroma: int, deviation: float | None
) -> np.ndarray:
    """Chroma of the power spectrum, a frame's largest 1 (0 in silence): `(n_frames, n_chroma)` float32.

    deviation: tuning in bins, None to estimate it.
    """
    if deviation is None:
        deviation = tuning.estimate(y, sample_rate, n_chroma, n_fft, hop_length, of_power=True)
    filters = chroma_filters(sample_rate, n_fft, n_chroma, deviation)
    raw = stft.each_block(
        lambda m: exact.matmul(m**2, filters).astype(np.float32), stft.magnitude_blocks(y, n_fft, hop_length)
    )
    return normalised(raw, np.inf)


@sharing.shared
def from_cqt(
    y: np.ndarray,
    sample_rate: int,
    hop_length: int,
    fmin: float,
    n_chroma: int,
    n_octaves: int,
    bins_per_octave: int,
    deviation: float | None,
) -> np.ndarray:
    """CQT magnitudes added up over octaves, not normalised: `(n_frames, n_chroma)` float32."""
    if bins_per_octave % n_chroma:
        raise ValueError(f"bins_per_octave {bins_per_octave} must be a multiple of n_chroma {n_chroma}")
    magnitude = cqt.magnitude(y, sample_rate, hop_length, fmin, n_octaves * bins_per_octave, bins_per_octave, deviation)
    return magnitude @ fold(n_octaves, bins_per_octave, n_chroma, fmin)


def cens(raw: np.ndarray, window_length: int) -> np.ndarray:
    """Chroma energy normalised statistics of raw chroma: quantised shares, smoothed over `window_length` frames (0:
    not),
    each frame of length 1."""
    shares = normalised(raw, 1)
    steps = sum((shares > step) * np.float32(0.25) for step in CENS_STEPS)
    if window_length:
        taper = signal.hann(window_length + 2, periodic=False)
        steps = scipy.ndimage.convolve1d(steps, taper / taper.sum(), axis=0, mode="constant")
    return normalised(steps.astype(np.float32), 2)


def tonnetz(chroma: np.ndarray) -> np.ndarray:
    """Tonal centroid of chroma `(n_frames, n_chroma)`: sine and cosine on the circles of fifths, minor and major
    thirds."""
    turns = np.array([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3])[:, None]
    steps = turns * np.linspace(0, 12, chroma.shape[1], endpoint=False)
    steps[::2] -= 0.5
    radius = np.array([1, 1, 1, 1, 0.5, 0.5])[:, None]
    return normalised(chroma, 1) @ (radius * np.cos(np.pi * steps)).T.astype(np.float32)


def normalised(values: np.ndarray, norm: float) -> np.ndarray:
    """Each row divided by its norm (1, 2 or inf); rows of zeros stay."""
    length = np.linalg.norm(values.astype(np.float64), ord=norm, axis=1, keepdims=True)
    return (values / np.where(length < np.finfo(np.float32).tiny, 1, length)).astype(np.float32)


@lru_cache
def chroma_filters(sample_rate: float, n_fft: int, n_chroma: int, deviation: float) -> np.ndarray:
    """Gaussian bumps around each pitch class (Ellis 2007), `(1 + n_fft // 2, n_chroma)` float32: librosa's."""
    hz = np.arange(1, n_fft) * (sample_rate / n_fft)
    bins = n_chroma * np.log2(hz / (440 * 2 ** (deviation / n_chroma) / 16))
    bins = np.concatenate([[bins[0] - 1.5 * n_chroma], bins])  # 0 Hz: half an octave turned from bin 1, and broad
    widths = np.concatenate([np.maximum(np.diff(bins), 1.0), [1.0]])
    half = np.round(n_chroma / 2)
    distance = np.remainder(bins[:, None] - np.arange(n_chroma) + half + 10 * n_chroma, n_chroma) - half
    weights = np.exp(-0.5 * (2 * distance / widths[:, None]) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    weights *= np.exp(-0.5 * ((bins / n_chroma - OCTAVE_CENTRE) / OCTAVE_WIDTH) ** 2)[:, None]
    weights = np.roll(weights, -3 * (n_chroma // 12), axis=1)  # from A first to C first
    return np.ascontiguousarray(weights[: 1 + n_fft // 2], dtype=np.float32)


@lru_cache
def fold(n_octaves: int, bins_per_octave: int, n_chroma: int, fmin: float) -> np.ndarray:
    """0 and 1: which CQT bins make a pitch class, `(n_octaves * bins_per_octave, n_chroma)` float32."""
    each = bins_per_octave // n_chroma
    octave = np.roll(np.repeat(np.eye(n_chroma), each, axis=1), -(each // 2), axis=1)
    lowest = np.mod(12 * np.log2(fmin / 440) + 69, 12)  # semitones above C
    turned = np.roll(np.tile(octave, n_octaves), round(lowest * (n_chroma / 12)), axis=0)
    return np.ascontiguousarray(turned.T, dtype=np.float32)
