"""zero_crossing_rate: the share of sign changes in a frame's samples, a cheap measure of noisiness (Kedem 1986).

Definition: share of a frame's samples whose sign differs from the sample before, zero counted as positive; the ends
are padded with the first and the last sample. Units: crossings a sample, 0 to 1. Shape: `(1 + samples // hop_length,
1)`.
Equal to `librosa.feature.zero_crossing_rate(y)`.
"""

import numpy as np

from pipelines.features.kernels import energy

KIND = "frames"
DTYPE = "float32"


def compute(y: np.ndarray, sample_rate: int, frame_length: int = 2048, hop_length: int = 512) -> np.ndarray:
    """`(1 + samples // hop_length, 1)` float32."""
    return energy.zero_crossing_rate(y, frame_length, hop_length)
