"""cqt: magnitude of the constant-Q transform, bins evenly spaced in pitch (Schoerkhuber & Klapuri 2010).

Definition: |sum_t y[t] g_k[t - i hop_length]|, g_k a Hann-windowed tone of frequency fmin 2^(k / bins_per_octave) and
a length of Q periods, Q = 1 / (2^(1 / bins_per_octave) - 2^(-1 / bins_per_octave)) * (2^(1 / bins_per_octave) + 2^(-1
/ bins_per_octave)); by octaves of a signal halved each time.
Units: sample values times the square root of the filter's length in samples. fmin in Hz (default C1). tuning:
fractions of a bin by which bins are moved, null to estimate it.
Shape: `(1 + samples // hop_length, n_bins)`, lowest first (a frame more where librosa gives one, at rates where it
halves first).
Equal to `abs(librosa.cqt(y))` within 1e-5 of its maximum. Long clips go through in segments.
"""

import numpy as np

from pipelines.features.kernels import cqt

KIND = "frames"
DTYPE = "float32"  # quiet bins are below what float16 holds


def compute(
    y: np.ndarray,
    sample_rate: int,
    hop_length: int = 512,
    fmin: float = cqt.C1,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    tuning: float | None = 0.0,
) -> np.ndarray:
    """`(1 + samples // hop_length, n_bins)` float32."""
    return cqt.magnitude(y, sample_rate, hop_length, fmin, n_bins, bins_per_octave, tuning)
