"""chroma_stft: chroma (energy of each pitch class) of the power spectrum (Ellis 2007, Chroma feature analysis and synthesis).

Definition: |STFT|^2 times Gaussian bumps around each pitch class, weighted towards the octaves around A4, divided by
the frame's largest.
Units: shares of the largest, 0 to 1; silence is 0. tuning: fractions of a bin (a semitone for n_chroma 12), null to
estimate it as librosa does.
Shape: `(1 + samples // hop_length, n_chroma)`, C first.
Equal to `librosa.feature.chroma_stft(y, tuning=tuning)` within 1e-5.
"""

import numpy as np

from pipelines.features.kernels import chroma

KIND = "frames"
DTYPE = "float16"  # of values from 0 to 1


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_chroma: int = 12,
    tuning: float | None = 0.0,
) -> np.ndarray:
    """`(1 + samples // hop_length, n_chroma)` float32."""
    return chroma.from_spectrum(y, sample_rate, n_fft, hop_length, n_chroma, tuning)
