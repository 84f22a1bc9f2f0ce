"""spectral_bandwidth: standard deviation of a frame's frequencies about the centroid (Peeters 2004).

Definition: sqrt(sum_k |X_k| (f_k - centroid)^2 / sum_k |X_k|). Units: Hz; silence is 0. Shape: `(1 + samples //
hop_length, 1)`.
Equal to `librosa.feature.spectral_bandwidth(y)` within 1e-6 of its maximum.
"""

import numpy as np

from pipelines.features.kernels import spectral

KIND = "frames"
DTYPE = "float32"  # float16 would round 8,000 Hz to 4 Hz


def compute(y: np.ndarray, sample_rate: int, n_fft: int = 2048, hop_length: int = 512) -> np.ndarray:
    """`(1 + samples // hop_length, 1)` float32, in Hz."""
    return spectral.bandwidth(y, sample_rate, n_fft, hop_length)
