"""Spectral centroid, bandwidth, rolloff and flatness."""

from functools import lru_cache

import numba
import numpy as np

from pipelines.features.kernels import exact, sharing, stft

TINY = np.finfo(np.float32).tiny
FLOOR = np.float32(1e-10)  # of power, under the logarithm of flatness


@sharing.shared
def moments(y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int) -> np.ndarray:
    """Sums over bins of m, m f and m f^2 (magnitude m, frequency f in Hz): `(n_frames, 3)` float64.

    In float64, because bandwidth is a small difference of two of them.
    """
    powers = _frequency_powers(sample_rate, n_fft)
    return stft.each_block(lambda m: exact.matmul(m, powers), stft.magnitude_blocks(y, n_fft, hop_length))


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

    blocks = stft.magnitude_blocks(y, n_fft, hop_length)
    return hz[stft.each_block(lambda m: _rolloff_bins(m, np.float32(roll_percent)), blocks)][:, None]


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


@numba.njit(nogil=True, cache=True)
def _rolloff_bins(magnitude, share):
    """The first bin at which the running sum (float32, as librosa's) is not below its share of the whole; 0 in
    silence."""
    n_frames, n_bins = magnitude.shape
    out, running = np.zeros(n_frames, np.int64), np.empty((n_bins, 4), np.float32)
    for first in range(0, n_frames, 4):  # four chains of additions at a time
        n = min(4, n_frames - first)
        rows = (first, first + min(1, n - 1), first + min(2, n - 1), first + n - 1)
        sum_a, sum_b, sum_c, sum_d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for place in range(n_bins):
            sum_a += magnitude[rows[0], place]
            sum_b += magnitude[rows[1], place]
            sum_c += magnitude[rows[2], place]
            sum_d += magnitude[rows[3], place]
            running[place, 0], running[place, 1] = sum_a, sum_b
            running[place, 2], running[place, 3] = sum_c, sum_d
        for chain in range(4):
            threshold, low, high = share * running[n_bins - 1, chain], 0, n_bins - 1
            while low < high:  # sums never fall
                middle = (low + high) // 2
                if running[middle, chain] < threshold:
                    low = middle + 1
                else:
                    high = middle
            out[rows[chain]] = low
    return out
