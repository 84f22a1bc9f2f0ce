"""onset_strength: spectral flux, the increase of a frame's spectrum, which is high at note onsets (Boeck & Widmer 2013).

Definition: mean (aggregate: mean or median) over mel bands of max(0, L[i] - L[i - lag]), L log-mel as in
log_mel_slaney; moved by half a window, so that a peak is at the time of its onset. Units: dB a frame. Shape: `(1 +
samples // hop_length, 1)`.
Equal to `librosa.onset.onset_strength(y)` within 1e-5 of its maximum. Holds the clip's log-mel, not its spectrum.
"""

import numpy as np

from pipelines.features.kernels import rhythm

KIND = "frames"
DTYPE = "float32"


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0,
    fmax: float | None = None,
    lag: int = 1,
    aggregate: str = "mean",
) -> np.ndarray:
    """`(1 + samples // hop_length, 1)` float32."""
    return rhythm.onset_strength(y, sample_rate, n_fft, hop_length, n_mels, fmin, fmax, lag, aggregate)[:, None]
