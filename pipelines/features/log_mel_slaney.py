"""log-mel with librosa's defaults: Slaney's mel scale, triangles of equal area, dB with 80 dB below the loudest.

Definition: 10 log10(max(M |STFT|^2, 1e-10)), then raised to the clip's maximum less 80 dB; M by Slaney (Auditory
Toolbox, 1998).
Units: dB, 0 dB is power 1. Shape: `(1 + samples // hop_length, n_mels)`. fmax null: half the sample rate.
Equal to `librosa.power_to_db(librosa.feature.melspectrogram(y))` within 1e-5 of its maximum.
The result of a clip (4 bytes a frame and band) is held, for its maximum; its spectrum is not.
"""

import numpy as np

from pipelines.features.kernels import mel

KIND = "frames"
DTYPE = "float16"  # of dB values from -100 to 60: rounding is at most 0.03 dB


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0,
    fmax: float | None = None,
) -> np.ndarray:
    """`(1 + samples // hop_length, n_mels)` float32, in dB."""
    return mel.log_mel_slaney(y, sample_rate, n_fft, hop_length, n_mels, fmin, fmax)
