"""tempogram: local autocorrelation of the onset strength (Grosche, Mueller & Kurth 2010).

Definition: autocorrelation of `win_length` Hann-weighted frames of onset_strength around each frame, divided by its
largest value. Column n is a lag of n frames: 60 sample_rate / (n hop_length) beats a minute.
Units: none, 1 at lag 0; silence is 0. Shape: `(1 + samples // hop_length, win_length)`.
Equal to `librosa.feature.tempogram(y)` within 1e-5.
"""

import numpy as np

from pipelines.features.kernels import rhythm

KIND = "frames"
DTYPE = "float16"  # of values from 0 to 1


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    win_length: int = 384,
) -> np.ndarray:
    """`(1 + samples // hop_length, win_length)` float32."""
    if win_length < 1:
        raise ValueError(f"win_length {win_length}: use at least 1")
    envelope = rhythm.onset_strength(y, sample_rate, n_fft, hop_length, n_mels, 0, None)
    out = np.empty((len(envelope), win_length), dtype=np.float32)
    place = 0
    for block in rhythm.tempogram_blocks(envelope, win_length):
        out[place : place + len(block)] = block
        place += len(block)
    return out
