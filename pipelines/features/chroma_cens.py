"""chroma_cens: chroma energy normalised statistics, robust to dynamics, articulation and local tempo (Mueller &
Ewert 2011).

Definition: CQT chroma as shares of a frame's sum; a quarter for each of 0.4, 0.2, 0.1, 0.05 the share passes;
smoothed over `win_len_smooth` frames by a Hann window (0: not); each frame brought to length 1.
Units: none, 0 to 1; silence is 0. Shape: `(1 + samples // hop_length, n_chroma)`, C first.
Equal to `librosa.feature.chroma_cens(y, tuning=tuning)` within 1e-5, where no share lies within rounding of a step.
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
    win_len_smooth: int = 41,
    tuning: float | None = 0.0,
) -> np.ndarray:
    """`(1 + samples // hop_length, n_chroma)` float32."""
    raw = chroma.from_cqt(y, sample_rate, hop_length, fmin, n_chroma, n_octaves, bins_per_octave, tuning)
    return chroma.cens(raw, win_len_smooth)
