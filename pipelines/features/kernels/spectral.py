"""Where a spectrum's magnitude lies: centroid, bandwidth, rolloff, flatness."""

from functools import lru_cache

import numpy as np

from pipelines.features.kernels import sharing, stft

TINY = np.finfo(np.float32).tiny
FLOOR = np.float32(1e-10)  # of power, under the logarithm of flatness


@sharing.shared
def moments(y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int) -> np.ndarray:
    """Sums over bins of m, m f and m f^2 (magnitude m, frequency f in Hz): `(n_frames, 3)` float64.

    In float64, because bandwidth is a small difference of two of them.
    """
    powers = _frequency_powers(sample_rate, n_fft)
    return stft.each_block(lambda m: m.astype(np.float64) @ powers, stft.magnitude_blocks(y, n_fft, hop_length))


def centroid(y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int) -> np.ndarray:
    """Mean frequency weighted by magnitude, Hz, `(n_frames, 1)` float32; 0 in silence."""
    total, first, _ = moments(y, sample_rate, n_fft, hop_length).T
    return (first / np.maximum(total, TINY)).astype(np.float32)[:, None]


def bandwidth(y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int) -> np.ndarray:
    """Standard deviation of frequency weighted by magnitude, Hz, `(n_frames, 1)` float32; 0 in silence."""
    total, first, second = moments(y, sample_rate, n_fft, hop_length).T
    total = np.maximum(total, TINY)
    return np.sqrt(np.maximum(second / total - (first / total) ** 2, 0)).astype(np.float32)[:, None]


def rolloff(y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int, roll_percent: float) -> np.ndarray:
    """The lowest bin's frequency (Hz) up to which `roll_percent` of the magnitude lies, `(n_frames, 1)` float32."""
    if not 0 < roll_percent < 1:
        raise ValueError(f"roll_percent {roll_percent}: use a share between 0 and 1")
    hz = stft.frequencies(sample_rate, n_fft).astype(np.float32)

    def of_block(magnitude):
        running = np.cumsum(magnitude, axis=1)
        below = running < np.float32(roll_percent) * running[:, -1:]
        return hz[np.argmin(below, axis=1)]  # the first that is not below; 0 Hz in silence

    return stft.each_block(of_block, stft.magnitude_blocks(y, n_fft, hop_length))[:, None]


def flatness(y: np.ndarray, n_fft: int, hop_length: int) -> np.ndarray:
    """Geometric over arithmetic mean of the power spectrum, 0 (a tone) to 1 (white, or silence): `(n_frames, 1)`
    float32."""

    def of_block(magnitude):
        power = np.maximum(magnitude**2, FLOOR)
        return np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)

    return stft.each_block(of_block, stft.magnitude_blocks(y, n_fft, hop_length))[:, None]


@lru_cache
def _frequency_powers(sample_rate: float, n_fft: int) -> np.ndarray:
    return stft.frequencies(sample_rate, n_fft)[:, None] ** np.arange(3)
