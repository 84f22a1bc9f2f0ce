"""Cepstral coefficients: a cosine transform of a log spectrum."""

from functools import lru_cache

import numpy as np
import scipy.fft

from pipelines.features.kernels import exact


def mfcc(log_mel: np.ndarray, n_mfcc: int, lifter: float = 0) -> np.ndarray:
    """The first `n_mfcc` coefficients of the orthonormal DCT-II of `log_mel` `(n_frames, n_mels)`: `(n_frames,
    n_mfcc)`.

    lifter > 0 weighs coefficient n by 1 + lifter / 2 sin(pi n / lifter), n from 1.
    """
    n_mels = log_mel.shape[1]
    if not 0 < n_mfcc <= n_mels:
        raise ValueError(f"n_mfcc {n_mfcc} of {n_mels} mel bands: use 1 to {n_mels}, or raise n_mels")
    return exact.matmul(log_mel, cosines(n_mels, n_mfcc, lifter)).astype(np.float32)


@lru_cache
def cosines(n_mels: int, n_mfcc: int, lifter: float = 0) -> np.ndarray:
    """The transform as a matrix `(n_mels, n_mfcc)` float32."""
    matrix = scipy.fft.dct(np.eye(n_mels), type=2, norm="ortho", axis=1)[:, :n_mfcc]
    if lifter > 0:
        matrix = matrix * (1 + lifter / 2 * np.sin(np.pi * np.arange(1, n_mfcc + 1) / lifter))
    return matrix.astype(np.float32)
