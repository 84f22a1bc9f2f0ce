"""spectral_centroid: the mean frequency of a frame, weighted by magnitude (the "brightness" of Peeters 2004).

Definition: sum_k f_k |X_k| / sum_k |X_k|. Units: Hz; silence is 0. Shape: `(1 + samples // hop_length, 1)`.
Equal to `librosa.feature.spectral_centroid(y)` within 1e-6 of its maximum.
"""

import numpy as np

from pipelines.features.kernels import spectral

KIND = "frames"
DTYPE = "float32"  # float16 would round 8,000 Hz to 4 Hz


def compute(y: np.ndarray, sample_rate: int, n_fft: int = 2048, hop_length: int = 512) -> np.ndarray:
    """`(1 + samples // hop_length, 1)` float32, in Hz."""
    return spectral.centroid(y, sample_rate, n_fft, hop_length)
