"""tonnetz: tonal centroids, the CQT chroma projected on the circles of fifths, minor thirds and major thirds (Harte, Sandler &
Gasser 2006).

Definition: shares of the pitch classes times sine and cosine of 7/6, 3/2 and 2/3 half turns a semitone, the last with
radius 1/2.
Units: none, -1 to 1; silence is 0. Shape: `(1 + samples // hop_length, 6)`: fifth x, y, minor third x, y, major third
x, y.
Equal to `librosa.feature.tonnetz(y, tuning=tuning)` within 2e-5.
"""

import numpy as np

from pipelines.features.kernels import chroma, cqt

KIND = "frames"
DTYPE = "float16"  # of values from -1 to 1


def compute(
    y: np.ndarray,
    sample_rate: int,
    hop_length: int = 512,
    fmin: float = cqt.C1,
    n_chroma: int = 12,
    n_octaves: int = 7,
    bins_per_octave: int = 36,
    tuning: float | None = 0.0,
) -> np.ndarray:
    """`(1 + samples // hop_length, 6)` float32."""
    return chroma.tonnetz(
        chroma.from_cqt(y, sample_rate, hop_length, fmin, n_chroma, n_octaves, bins_per_octave, tuning)
    )
