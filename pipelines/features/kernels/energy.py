"""RMS and zero crossings: frame features of the samples themselves."""

import numpy as np

from pipelines.features.kernels import signal

BLOCK = 256  # frames
SILENT = np.float32(1e-10)  # librosa takes smaller samples for zero, and zero for positive


def rms(y: np.ndarray, frame_length: int, hop_length: int) -> np.ndarray:
    """Root mean square of each frame, `(1 + samples // hop_length, 1)` float32; the ends are padded with zeros."""
    out = [
        np.sqrt(np.square(frames).sum(axis=1) / np.float32(frame_length))
        for frames in signal.frame_blocks(y, frame_length, hop_length, frame_length // 2, "constant", BLOCK)
    ]
    return np.concatenate([np.zeros(0, np.float32), *out])[:, None]


def zero_crossing_rate(y: np.ndarray, frame_length: int, hop_length: int) -> np.ndarray:
    """Share of a frame's samples with another sign than the one before, `(1 + samples // hop_length, 1)` float32.

    The ends are padded with the first and the last sample; a frame's first sample is no crossing.
    """
    pad, out = frame_length // 2, [np.zeros(0, dtype=np.int32)]
    n_frames = signal.count_frames(y, frame_length, hop_length, pad)
    for first in range(0, n_frames, BLOCK):
        last = min(first + BLOCK, n_frames)
        part = signal.samples(y, first * hop_length - pad, (last - 1) * hop_length + frame_length - pad, "edge")
        negative = part < -SILENT
        # crossings in a frame are a difference of the running count
        count = np.zeros(len(part), dtype=np.int32)
        np.cumsum(negative[1:] != negative[:-1], out=count[1:])
        out.append(count[frame_length - 1 :: hop_length] - count[: len(count) - frame_length + 1 : hop_length])
    return (np.concatenate(out) / np.float32(frame_length)).astype(np.float32)[:, None]
