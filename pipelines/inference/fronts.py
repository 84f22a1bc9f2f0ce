"""What the taggers' fixed front ends make of sound, without torch: by the kernels of the cached features, which are quicker.

A tagger's file names its own (`FRONT`); `export` checks that it is what the tagger's `front` computes.
"""

import numpy as np

SAMPLE_RATE = 16_000
N_FFT, HOP_LENGTH = 512, 256


def compute(kind: str, samples: np.ndarray, parameters: dict | None = None) -> np.ndarray:
    """Features of one chunk `(samples,)`, int16 or float32 at 16 kHz, as float32:

    "waveform": the samples themselves, in [-1, 1); "power": |STFT|^2 `(frames, 257)`; the name of a feature of frames:
    `(frames, bands)` with these parameters. Raises `ValueError` where there is no such feature.
    """
    if kind == "waveform":
        from pipelines.core.pcm import to_float

        return to_float(samples) if samples.dtype.kind == "i" else samples
    # here, because what reads frames from shards needs no transform, and compiled code takes a while to load
    if kind == "power":
        from pipelines.features.kernels import stft

        return stft.joined(stft.power_blocks(samples, N_FFT, HOP_LENGTH))
    from pipelines import features

    return features.load(kind).compute(samples, SAMPLE_RATE, **(parameters or {}))
