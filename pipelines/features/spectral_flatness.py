"""spectral_flatness: Wiener entropy, high for noise and low for tones (Dubnov 2004).

Definition: geometric mean over arithmetic mean of max(|X_k|^2, 1e-10). Units: none, 0 (a tone) to 1 (white; also
silence).
Shape: `(1 + samples // hop_length, 1)`.
Equal to `librosa.feature.spectral_flatness(y)` within 1e-5 of its maximum.
"""

import numpy as np

from pipelines.features.kernels import spectral

KIND = "frames"
DTYPE = "float32"  # a pure tone's is below what float16 holds


def compute(y: np.ndarray, sample_rate: int, n_fft: int = 2048, hop_length: int = 512) -> np.ndarray:
    """`(1 + samples // hop_length, 1)` float32."""
    return spectral.flatness(y, n_fft, hop_length)
