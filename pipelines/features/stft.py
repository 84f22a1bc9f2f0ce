"""stft: magnitude of the short-time Fourier transform.

Definition: |sum_t w[t] y[i hop_length + t - n_fft / 2] exp(-2 pi j k t / n_fft)|, w the periodic Hann window, the
ends padded with zeros.
Units: sample values times the window's sum; a full-scale sine at a bin's centre gives n_fft / 4.
Shape: `(1 + samples // hop_length, 1 + n_fft // 2)`, 0 Hz first.
Equal to `abs(librosa.stft(y))`, within 1e-6 of its maximum.
"""

import numpy as np

from pipelines.features.kernels import stft

KIND = "frames"
DTYPE = "float32"  # quiet bins are below what float16 holds


def compute(y: np.ndarray, sample_rate: int, n_fft: int = 2048, hop_length: int = 512) -> np.ndarray:
    """`(1 + samples // hop_length, 1 + n_fft // 2)` float32."""
    return stft.each_block(np.asarray, stft.magnitude_blocks(y, n_fft, hop_length))
