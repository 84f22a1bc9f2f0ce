"""What the taggers' fixed front ends make of sound, without torch: by the kernels of the cached features, which are quicker.

A tagger's file names its own (`FRONT`); `export` checks that it is what the tagger's `front` computes.
"""

import numpy as np

SAMPLE_RATE = 16_000
N_FFT, HOP_LENGTH = 512, 256
KINDS = ("log_mel", "power", "waveform")


def compute(kind: str, samples: np.ndarray, n_mels: int | None = None) -> np.ndarray:
    """Features of one chunk `(samples,)`, int16 or float32 at 16 kHz, as float32:

    "log_mel": `(frames, n_mels)` in dB; "power": |STFT|^2 `(frames, 257)`; "waveform": the samples themselves, in [-1, 1).
    """
    if kind == "waveform":
        from pipelines.core.pcm import to_float

        return to_float(samples) if samples.dtype.kind == "i" else samples
    # here, because what reads log-mel from shards needs no transform, and compiled code takes a while to load
    from pipelines.features import log_mel
    from pipelines.features.kernels import stft

    if kind == "log_mel":
        return log_mel.compute(samples, SAMPLE_RATE, N_FFT, HOP_LENGTH, n_mels)
    if kind == "power":
        return stft.joined(stft.power_blocks(samples, N_FFT, HOP_LENGTH))
    raise ValueError(f"no front end {kind!r}: there is {', '.join(KINDS)}")
