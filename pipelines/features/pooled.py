"""Pooled features: mean and standard deviation over a clip of the descriptors a classic classifier uses.

log-mel, MFCC, chroma, spectral centroid, bandwidth, rolloff, flatness, contrast, zero crossings and RMS, all from one
STFT, in librosa 0.11's definitions and defaults (tuning fixed at 0), which the tests hold them to.
"""

from functools import lru_cache

import numpy as np
import scipy.fft

from pipelines.features import stft

KIND = "pooled"
ROLLOFF = 0.85  # share of the magnitude below the rolloff frequency
TINY = 1e-10


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    n_mfcc: int = 20,
    fmin: float = 0,
    fmax: float = 8000,
) -> dict[str, float]:
    """`{"<descriptor>[_<band>]_<mean|std>": value}`; Hz for frequencies, dB for log-mel and contrast."""
    spectrum = stft.power(y, n_fft, hop_length, pad_mode="constant")
    pooled = {}
    for name, frames in _descriptors(y, spectrum, sample_rate, n_fft, hop_length, n_mels, n_mfcc, fmin, fmax):
        frames = frames.astype(np.float64)
        bands = [""] if frames.ndim == 1 else [f"_{band:03d}" for band in range(frames.shape[1])]
        for statistic, values in (("mean", frames.mean(axis=0)), ("std", frames.std(axis=0))):
            for band, value in zip(bands, np.atleast_1d(values), strict=True):
                pooled[f"{name}{band}_{statistic}"] = float(value)
    return pooled


def _descriptors(y, spectrum, sample_rate, n_fft, hop_length, n_mels, n_mfcc, fmin, fmax):
    """Yield (name, `(n_frames,)` or `(n_frames, bands)`)."""
    filters = stft.mel_filters(sample_rate, n_fft, n_mels, fmin, fmax, htk=False, norm="slaney")
    log_mel = stft.decibel(stft.mel(spectrum, filters))
    # librosa's power_to_db keeps 80 dB below the loudest
    log_mel = np.maximum(log_mel, log_mel.max() - 80)
    yield "log_mel", log_mel
    yield "mfcc", scipy.fft.dct(log_mel, type=2, norm="ortho", axis=1)[:, :n_mfcc]
    chroma = spectrum @ _chroma_filters(sample_rate, n_fft).T
    yield "chroma", chroma / np.maximum(chroma.max(axis=1, keepdims=True), TINY)

    magnitude = np.sqrt(spectrum)
    frequencies = np.linspace(0, sample_rate / 2, magnitude.shape[1], dtype=np.float32)
    total = magnitude.sum(axis=1)
    share = magnitude / np.maximum(total, TINY)[:, None]
    centroid = share @ frequencies
    yield "centroid", centroid
    # E[(f - c)^2] = E[f^2] - c^2, in float64 because the two are close
    second = share.astype(np.float64) @ frequencies.astype(np.float64) ** 2
    yield "bandwidth", np.sqrt(np.maximum(second - (share.sum(axis=1) > 0) * centroid.astype(np.float64) ** 2, 0))
    cumulative = np.cumsum(magnitude, axis=1)
    yield "rolloff", frequencies[(cumulative >= ROLLOFF * cumulative[:, -1:]).argmax(axis=1)]
    floored = np.maximum(spectrum, TINY)
    yield "flatness", np.exp(np.log(floored).mean(axis=1)) / floored.mean(axis=1)
    yield "contrast", _contrast(magnitude, sample_rate)

    padded = np.pad(y, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    yield "rms", np.sqrt(np.mean(frames**2, axis=1))
    edges = np.pad(y, n_fft // 2, mode="edge")
    crossings = np.concatenate([[False], np.signbit(edges[1:]) != np.signbit(edges[:-1])]).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(np.cumsum(crossings), n_fft)[::hop_length]
    # the sum over a window is a difference of the running sum; a window's first sample is not a crossing
    yield "zero_crossing_rate", (windows[:, -1] - windows[:, 0]) / n_fft


def _contrast(magnitude: np.ndarray, sample_rate: int) -> np.ndarray:
    """Spectral contrast (Jiang et al. 2002) `(n_frames, 7)`, dB: librosa's definition, from our STFT."""
    import librosa

    return librosa.feature.spectral_contrast(S=magnitude.T, sr=sample_rate).T


@lru_cache
def _chroma_filters(sample_rate: int, n_fft: int) -> np.ndarray:
    from librosa.filters import chroma

    return chroma(sr=sample_rate, n_fft=n_fft, tuning=0.0).astype(np.float32)
