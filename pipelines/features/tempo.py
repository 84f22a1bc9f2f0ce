"""tempo: one estimate per clip (Ellis 2007, Beat tracking by dynamic programming, section 3.2).

Definition: the lag with the largest ln(1 + 1e6 a) + prior, a the tempogram of `ac_size` seconds averaged over the
clip, the prior a normal curve in octaves around start_bpm, `std_bpm` wide; below 320 BPM. Tempi are those of whole
frames: 60 sample_rate / (n hop_length).
Units: beats a minute; silence gives what is nearest to start_bpm. Shape: one value, "tempo".
Equal to `librosa.feature.tempo(y)`.
"""

import numpy as np

from pipelines.features.kernels import rhythm

KIND = "pooled"


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    start_bpm: float = 120.0,
    std_bpm: float = 1.0,
    ac_size: float = 8.0,
) -> dict[str, float]:
    """`{"tempo": beats a minute}`."""
    envelope = rhythm.onset_strength(y, sample_rate, n_fft, hop_length, n_mels, 0, None)
    return {"tempo": rhythm.tempo(envelope, sample_rate, hop_length, start_bpm, std_bpm, ac_size)}
