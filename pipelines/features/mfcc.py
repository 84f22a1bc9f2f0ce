"""mfcc: mel-frequency cepstral coefficients, and their deltas (Davis & Mermelstein 1980).

Definition: the first n_mfcc coefficients of the orthonormal DCT-II over bands of log-mel (librosa's, see
log_mel_slaney); lifter > 0 weighs coefficient n by 1 + lifter / 2 sin(pi n / lifter). Deltas: the slope, and for
deltas 2 also the curvature, of a polynomial fitted to 9 frames (a clip of fewer is continued by its ends, where
librosa refuses).
Units: dB. Shape: `(1 + samples // hop_length, n_mfcc * (1 + deltas))`: coefficients, slopes, curvatures.
Equal to `librosa.feature.mfcc(y)` and `librosa.feature.delta` of it within 1e-5 of their maximum.
"""

import numpy as np

from pipelines.features.kernels import cepstrum, mel, pooling

KIND = "frames"
DTYPE = "float32"  # the first coefficient is a hundred times the last


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    n_mfcc: int = 20,
    fmin: float = 0,
    fmax: float | None = None,
    lifter: float = 0,
    deltas: int = 0,
) -> np.ndarray:
    """`(1 + samples // hop_length, n_mfcc * (1 + deltas))` float32."""
    if deltas not in (0, 1, 2):
        raise ValueError(f"deltas {deltas}: use 0, 1 or 2")
    log_mel = mel.log_mel_slaney(y, sample_rate, n_fft, hop_length, n_mels, fmin, fmax)
    coefficients = cepstrum.mfcc(log_mel, n_mfcc, lifter)
    slopes = [pooling.delta(coefficients, order) for order in range(1, deltas + 1)]
    return np.concatenate([coefficients, *slopes], axis=1)
