"""spectral_contrast: level difference of peaks and valleys in octave bands (Jiang et al. 2002).

Definition: bands 0 to fmin, fmin to 2 fmin, ... ; in each the mean magnitude of the loudest `quantile` of bins (at
least one) over that of the quietest, as 10 log10 of magnitudes, each of the two no lower than 80 dB below its clip's
maximum: librosa's definition.
Units: dB (of magnitude taken as power: half of what the name says). Shape: `(1 + samples // hop_length, n_bands +
1)`, lowest first.
Equal to `librosa.feature.spectral_contrast(y)` within 1e-5 of its maximum. Where the highest band starts above half
of the sample rate, a `ValueError` says so (at 11,025 Hz use n_bands 5).
"""

import numpy as np

from pipelines.features.kernels import contrast

KIND = "frames"
DTYPE = "float16"  # of values from 0 to 80: rounding is at most 0.03 dB


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    fmin: float = 200.0,
    n_bands: int = 6,
    quantile: float = 0.02,
) -> np.ndarray:
    """`(1 + samples // hop_length, n_bands + 1)` float32, in dB."""
    return contrast.contrast(y, sample_rate, n_fft, hop_length, fmin, n_bands, quantile)
