"""beats: times of beats, by dynamic programming (Ellis 2007, Beat tracking by dynamic programming).

Definition: the path of frames that maximises the onset strength (median over bands) at its frames less `tightness`
times the squared log ratio of its spacings to the clip's tempo; trim leaves out weak beats at the ends.
Units: seconds from the clip's start, ascending. Shape: `(beats, 1)`; `(0, 1)` where there is no onset. bpm null:
estimate the tempo.
Equal to `librosa.beat.beat_track(y, units="time")`. The dynamic programme needs the whole clip's onset strength, one
value a frame.
"""

import numpy as np

from pipelines.features.kernels import rhythm

KIND = "events"
DTYPE = "float32"  # of a clip's hour: rounding is at most 0.2 ms


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    start_bpm: float = 120.0,
    bpm: float | None = None,
    tightness: float = 100.0,
    trim: bool = True,
) -> np.ndarray:
    """`(beats, 1)` float32, in seconds."""
    envelope = rhythm.onset_strength(y, sample_rate, n_fft, hop_length, n_mels, 0, None, 1, "median")
    if bpm is None:
        bpm = rhythm.tempo(envelope, sample_rate, hop_length, start_bpm, std_bpm=1.0, ac_size=8.0)
    if bpm <= 0 or tightness <= 0:
        raise ValueError(f"beats at {bpm} BPM, tightness {tightness}: both must be positive")
    frames = rhythm.beats(envelope, sample_rate / hop_length, bpm, tightness, trim)
    return (frames * (hop_length / sample_rate)).astype(np.float32)[:, None]
