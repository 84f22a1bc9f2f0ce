"""Mel filters, decibels, and mel spectra shared by several features.

The filters equal librosa's `filters.mel` to the bit. They are built without importing librosa, which takes 1.9 s per process.
"""

from collections.abc import Iterable
from functools import lru_cache

import numba
import numpy as np

from pipelines.features.kernels import sharing, stft

TOP_DB = 80.0  # librosa's power_to_db keeps this much below the loudest
LINEAR_HZ, BREAK_HZ = 200 / 3, 1000.0  # Slaney's scale: linear below the break,
LOG_STEP = np.log(6.4) / 27  # and logarithmic above

Filters = tuple[np.ndarray, np.ndarray, np.ndarray]  # of each band: first bin, where its weights end, and all weights


def project(spectrum: np.ndarray, filters: Filters, square: bool = False) -> np.ndarray:
    """`(n_frames, 1 + n_fft // 2)`, or its square, times `mel_filters`: `(n_frames, n_mels)` float32."""
    return _project(spectrum, *filters, square, np.empty((len(spectrum), len(filters[0])), dtype=np.float32))


def decibel(power_values: np.ndarray, floor: float = 1e-10) -> np.ndarray:
    """10 log10(max(power, floor)), no upper range limit."""
    out = np.maximum(power_values, np.float32(floor), dtype=np.float32)
    np.log10(out, out=out)
    return np.multiply(out, np.float32(10), out=out)


def limited(values: np.ndarray, top_db: float | None = TOP_DB) -> np.ndarray:
    """dB values raised to `top_db` below the loudest of all of them; as they are if None."""
    return values if top_db is None or not values.size else np.maximum(values, values.max() - values.dtype.type(top_db))


@sharing.shared
def log_mel_slaney(
    y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int, n_mels: int, fmin: float, fmax: float | None
) -> np.ndarray:
    """librosa's `power_to_db(melspectrogram(y))`, `(1 + samples // hop_length, n_mels)` float32."""
    filters = mel_filters(sample_rate, n_fft, n_mels, fmin, fmax, htk=False, norm="slaney")
    return _log_mel(stft.magnitude_blocks(y, n_fft, hop_length), filters)


def _log_mel(blocks: Iterable[np.ndarray], filters: Filters) -> np.ndarray:
    return limited(stft.each_block(lambda magnitude: decibel(project(magnitude, filters, square=True)), blocks))


def dense(filters: Filters, n_bins: int) -> np.ndarray:
    """The filters as a matrix `(n_mels, n_bins)` float32."""
    starts, ends, weights = filters
    out = np.zeros((len(starts), n_bins), dtype=np.float32)
    for band, (start, begin, end) in enumerate(zip(starts, [0, *ends[:-1]], ends, strict=True)):
        out[band, start : start + end - begin] = weights[begin:end]
    return out


@lru_cache
def mel_filters(
    sample_rate: float,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    htk: bool = True,
    norm: str | None = None,
) -> Filters:
    """Triangular mel filters from 1 + n_fft // 2 bins to n_mels: HTK's scale without area normalisation, as the
    taggers use
    (Won et al. 2020), or with `htk=False, norm="slaney"` librosa's default (Slaney, Auditory Toolbox, 1998).

    fmin, fmax: Hz, the feet of the first and the last triangle; fmax None: half the sample rate. A triangle that
    falls between two bins is empty.
    """
    fmax = sample_rate / 2 if fmax is None else fmax
    if not 0 <= fmin < fmax:
        raise ValueError(f"mel filters from {fmin} to {fmax} Hz: fmin must be at least 0 and less than fmax")
    low, high = _to_mel(np.array([fmin, fmax], dtype=np.float64), htk)
    feet = _to_hz(np.linspace(low, high, n_mels + 2), htk)
    widths = np.diff(feet)
    ramps = feet[:, None] - stft.frequencies(sample_rate, n_fft)
    rising, falling = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    weights = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    if norm == "slaney":  # every triangle has the same area
        weights *= (2.0 / (feet[2:] - feet[:-2]))[:, None]
    elif norm is not None:
        raise ValueError(f"no mel normalisation {norm!r}: use 'slaney' or null")
    bands = [np.flatnonzero(band) for band in weights]
    starts = np.array([bins[0] if len(bins) else 0 for bins in bands])
    ends = np.cumsum([len(bins) for bins in bands])
    return starts, ends, np.concatenate([band[bins] for band, bins in zip(weights, bands, strict=True)])


@numba.njit(nogil=True, cache=True)
def _project(spectrum, starts, ends, weights, square, out):
    """Four frames at a time: sums over bins are chains of additions, and four of them keep the adder busy."""
    n_frames = len(spectrum)
    for first in range(0, n_frames, 4):
        # the last frames are done again where fewer than four are left
        a, b, c, d = first, min(first + 1, n_frames - 1), min(first + 2, n_frames - 1), min(first + 3, n_frames - 1)
        begin = 0
        for band in range(len(starts)):
            shift = starts[band] - begin
            sum_a, sum_b, sum_c, sum_d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for place in range(begin, ends[band]):
                weight = weights[place]
                in_a, in_b = spectrum[a, place + shift], spectrum[b, place + shift]
                in_c, in_d = spectrum[c, place + shift], spectrum[d, place + shift]
                if square:
                    in_a, in_b, in_c, in_d = in_a * in_a, in_b * in_b, in_c * in_c, in_d * in_d
                sum_a += weight * in_a
                sum_b += weight * in_b
                sum_c += weight * in_c
                sum_d += weight * in_d
            out[a, band], out[b, band], out[c, band], out[d, band] = sum_a, sum_b, sum_c, sum_d
            begin = ends[band]
    return out


def _to_mel(hz: np.ndarray, htk: bool) -> np.ndarray:
    if htk:
        return 2595 * np.log10(1 + hz / 700)
    above = BREAK_HZ / LINEAR_HZ + np.log(np.maximum(hz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hz < BREAK_HZ, hz / LINEAR_HZ, above)


def _to_hz(mel: np.ndarray, htk: bool) -> np.ndarray:
    if htk:
        return 700 * (10 ** (mel / 2595) - 1)
    above = BREAK_HZ * np.exp(LOG_STEP * (mel - BREAK_HZ / LINEAR_HZ))
    return np.where(mel < BREAK_HZ / LINEAR_HZ, mel * LINEAR_HZ, above)
