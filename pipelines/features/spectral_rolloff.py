"""spectral_rolloff: the frequency below which most of a frame's magnitude is (Tzanetakis & Cook 2002).

Definition: the lowest f_k with sum_(j <= k) |X_j| >= roll_percent sum_j |X_j|. Units: Hz; silence is 0.
Shape: `(1 + samples // hop_length, 1)`.
Equal to `librosa.feature.spectral_rolloff(y)`, but for frames where the sum meets the threshold within float32's
rounding: there the answer may be the next bin (at most one frame in a hundred).
"""

import numpy as np

from pipelines.features.kernels import spectral

KIND = "frames"
DTYPE = "float32"  # float16 would round 8,000 Hz to 4 Hz


def compute(
    y: np.ndarray, sample_rate: int, n_fft: int = 2048, hop_length: int = 512, roll_percent: float = 0.85
) -> np.ndarray:
    """`(1 + samples // hop_length, 1)` float32, in Hz."""
    return spectral.rolloff(y, sample_rate, n_fft, hop_length, roll_percent)
