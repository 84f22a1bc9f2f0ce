"""f0 (slow, opt-in): the fundamental frequency of a single voice by pYIN (Mauch & Dixon 2014).

Definition: librosa's own `pyin`, imported when first used. fmin, fmax: Hz (default C2 to C7; at most half the sample
rate). Units: Hz. Shape: `(1 + samples // hop_length, 3)`: Hz (0 where unvoiced), 1 where voiced, probability of
voicing.
Equal to `librosa.pyin(y, fill_na=0)`. The Viterbi path needs the whole clip: about 50 KB of memory a frame, so cut
hours first.
"""

import fcntl
import os
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.features.kernels import signal

KIND = "frames"
DTYPE = "float32"


def compute(
    y: np.ndarray,
    sample_rate: int,
    frame_length: int = 2048,
    hop_length: int = 512,
    fmin: float = 440 * 2 ** (-33 / 12),
    fmax: float = 440 * 2 ** (27 / 12),
) -> np.ndarray:
    """`(1 + samples // hop_length, 3)` float32: Hz, voiced, probability."""
    if not 0 < fmin < fmax <= sample_rate / 2:
        raise ValueError(
            f"f0 from {fmin} to {fmax} Hz at {sample_rate} Hz: 0 < fmin < fmax <= sample rate / 2 is required"
        )
    if sample_rate / fmin >= frame_length // 2:
        raise ValueError(f"two periods of fmin {fmin:g} Hz do not fit into {frame_length} samples: raise frame_length")
    n_frames = signal.count_frames(y, frame_length, hop_length, frame_length // 2)
    if not len(y):
        return np.zeros((n_frames, 3), dtype=np.float32)
    whole = signal.samples(y, 0, len(y))
    options = {"sr": sample_rate, "frame_length": frame_length, "hop_length": hop_length, "fmin": fmin, "fmax": fmax}
    hz, voiced, probability = _pyin()(whole, fill_na=0.0, **options)
    return np.stack([hz, voiced, probability], axis=1).astype(np.float32)


@lru_cache
def _pyin():
    """librosa's, imported when first used: it takes seconds. One process at a time compiles it, because two that fill
    numba's cache at once can spoil librosa's entries, and then every later process crashes (numba issue 10128)."""
    with (Path(tempfile.gettempdir()) / f"conservatory-librosa-{os.getuid()}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        import librosa

        librosa.pyin(np.zeros(4096, np.float32), fmin=65.0, fmax=2000.0)  # compiles what waits for its types
        return librosa.pyin
