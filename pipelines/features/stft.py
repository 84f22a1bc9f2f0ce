"""The short-time Fourier transform every other feature is computed from, and mel filters.

Equal to librosa's and torch's (centred frames, periodic Hann window) to float32 rounding, and three times faster
than librosa's on one thread: scipy's real FFT in float32, and a sparse mel matrix.
"""

from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.signal
import scipy.sparse


def power(y: np.ndarray, n_fft: int, hop_length: int, pad_mode: str = "reflect") -> np.ndarray:
    """|STFT|^2 of `y` `(samples,)` as `(1 + samples // hop_length, 1 + n_fft // 2)` float32, time first.

    pad_mode: "reflect" (torch's default) or "constant" (librosa's), for the half window at both ends.
    """
    if pad_mode == "reflect" and len(y) <= n_fft // 2:
        pad_mode = "constant"  # there is not enough to reflect
    padded = np.pad(np.asarray(y, dtype=np.float32), n_fft // 2, mode=pad_mode)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    spectrum = scipy.fft.rfft(frames * _window(n_fft), axis=1)
    return spectrum.real**2 + spectrum.imag**2


def mel(spectrum: np.ndarray, filters: scipy.sparse.csr_matrix) -> np.ndarray:
    """`(n_frames, 1 + n_fft // 2)` times `mel_filters` to `(n_frames, n_mels)`."""
    return np.ascontiguousarray((filters @ spectrum.T).T)


@lru_cache
def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float, htk: bool = True, norm: str | None = None
) -> scipy.sparse.csr_matrix:
    """Triangular mel filters `(n_mels, 1 + n_fft // 2)`: HTK's scale without area normalisation, as the taggers use
    (Won et al. 2020), or with `htk=False, norm="slaney"` librosa's default."""
    from librosa.filters import mel as librosa_mel  # importing librosa costs a second

    dense = librosa_mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm)
    return scipy.sparse.csr_matrix(dense.astype(np.float32))


def decibel(power_values: np.ndarray, floor: float = 1e-10) -> np.ndarray:
    """10 log10(max(power, floor)), no upper range limit."""
    return np.float32(10) * np.log10(np.maximum(power_values, np.float32(floor)))


@lru_cache
def _window(n_fft: int) -> np.ndarray:
    return scipy.signal.get_window("hann", n_fft, fftbins=True).astype(np.float32)
