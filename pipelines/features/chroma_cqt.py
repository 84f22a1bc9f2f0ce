"""chroma_cqt: chroma (energy of each pitch class) of the constant-Q transform.

Definition: |CQT| of `n_octaves` octaves from fmin, added up over octaves and over the bins nearest to each pitch
class, divided by the frame's largest. Units: shares of the largest, 0 to 1; silence is 0. fmin in Hz (default C1);
tuning: fractions of a CQT bin, null to estimate it.
Shape: `(1 + samples // hop_length, n_chroma)`, C first.
Equal to `librosa.feature.chroma_cqt(y, tuning=tuning)` within 2e-5.
"""

import numpy as np

from pipelines.features.kernels import chroma, cqt

KIND = "frames"
DTYPE = "float16"  # of values from 0 to 1


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
    """`(1 + samples // hop_length, n_chroma)` float32."""
    raw = chroma.from_cqt(y, sample_rate, hop_length, fmin, n_chroma, n_octaves, bins_per_octave, tuning)
    return chroma.normalised(raw, np.inf)
