"""log-mel: power mel spectrogram in dB, in the convention of the published taggers.

HTK mel scale, triangles without area normalisation, periodic Hann window, centred frames with reflected ends,
10 log10(max(x, 1e-10)); 0 dB is power 1. At 16 kHz, n_fft 512, hop 256 (Won et al. 2020, arXiv 2006.00751, section 3).
With 128 bands and n_fft 512 the lowest HTK filter falls between two bins and is empty: its value is always -100 dB.
"""

import numpy as np

from pipelines.features import stft

KIND = "frames"
DTYPE = "float16"  # of dB values from -100 to 60: rounding is at most 0.03 dB


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 512,
    hop_length: int = 256,
    n_mels: int = 128,
    fmin: float = 0,
    fmax: float = 8000,
) -> np.ndarray:
    """`(1 + samples // hop_length, n_mels)` float32, in dB."""
    filters = stft.mel_filters(sample_rate, n_fft, n_mels, fmin, fmax)
    return stft.decibel(stft.mel(stft.power(y, n_fft, hop_length), filters))
