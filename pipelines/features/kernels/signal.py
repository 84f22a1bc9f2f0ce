"""Samples (float32 or memory-mapped int16) with the padding for frames, converted a block at a time."""

from collections.abc import Iterator

import numpy as np

from pipelines.core.pcm import to_float


def hann(n: int, periodic: bool = True) -> np.ndarray:
    """Hann window `(n,)` float64, equal to scipy's to the bit; importing `scipy.signal` for it keeps each worker half a
    second from its first clip."""
    return (0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, n + periodic)))[:n] if n > 1 else np.ones(n)


def samples(y: np.ndarray, start: int, stop: int, pad_mode: str = "constant") -> np.ndarray:
    """Samples `start` to `stop` of `y` as float32 `(stop - start,)`; places outside of `y` are padding.

    pad_mode: "constant" (zeros), "edge" (the first and the last sample go on) or "reflect" (mirrored about them; the
    padding is then shorter than `y`, see `pad_mode_for`).
    """
    part = stored(y, start, stop, pad_mode)
    return to_float(part) if part.dtype.kind == "i" else part


def stored(y: np.ndarray, start: int, stop: int, pad_mode: str = "constant") -> np.ndarray:
    """The same as it is stored, int16 or float32: `scale(y)` times it are the samples."""
    n, dtype = len(y), y.dtype if y.dtype.kind == "i" else np.float32
    inside = np.ascontiguousarray(y[max(start, 0) : max(min(stop, n), 0)], dtype=dtype)
    n_left, n_right = max(min(0, stop) - start, 0), max(stop - max(n, start), 0)
    if not n_left and not n_right:
        return inside
    out = np.zeros(stop - start, dtype=dtype)
    out[n_left : n_left + len(inside)] = inside
    if pad_mode == "constant" or not n:
        return out
    left, right = np.arange(start, start + n_left), np.arange(stop - n_right, stop)
    if pad_mode == "edge":
        left, right = np.zeros_like(left), np.full_like(right, n - 1)
    else:
        left, right = -left, 2 * (n - 1) - right
    out[:n_left], out[len(out) - n_right :] = y[left], y[right]
    return out


def scale(y: np.ndarray) -> float:
    """What a stored value of 1 is worth: 2^-15 in int16. A power of two, so that the order of products does not matter."""
    return 1 / 32768 if y.dtype.kind == "i" else 1.0


def pad_mode_for(y: np.ndarray, pad: int, pad_mode: str) -> str:
    """`pad_mode`, or "constant" where `y` is too short for `pad` samples to be mirrored."""
    return "constant" if pad_mode == "reflect" and len(y) <= pad else pad_mode


def count_frames(y: np.ndarray, frame_length: int, hop_length: int, pad: int) -> int:
    """How many frames fit into `y` with `pad` samples on both sides; raises `ValueError` on what cannot be framed."""
    if y.ndim != 1:
        raise ValueError(f"a mono signal (samples,) is required, not shape {y.shape}: average the channels first")
    if frame_length < 2 or hop_length < 1:
        raise ValueError(f"frames of {frame_length} samples every {hop_length}: use at least 2 and 1")
    return max(0, 1 + (len(y) + 2 * pad - frame_length) // hop_length)


def pieces(
    y: np.ndarray, frame_length: int, hop_length: int, pad: int, pad_mode: str, block: int
) -> Iterator[tuple[int, np.ndarray]]:
    """`(n, stored samples of n frames)`, n up to `block`; frame i starts at i * hop_length - pad."""
    n_frames = count_frames(y, frame_length, hop_length, pad)
    pad_mode = pad_mode_for(y, pad, pad_mode)
    for first in range(0, n_frames, block):
        last = min(first + block, n_frames)
        span = first * hop_length - pad, (last - 1) * hop_length + frame_length - pad
        yield last - first, stored(y, *span, pad_mode)


def frame_blocks(
    y: np.ndarray, frame_length: int, hop_length: int, pad: int, pad_mode: str, block: int
) -> Iterator[np.ndarray]:
    """Views of `y` as float32 frames `(up to block frames, frame_length)`; frame i starts at i * hop_length - pad."""
    for n, piece in pieces(y, frame_length, hop_length, pad, pad_mode, block):
        piece = to_float(piece) if piece.dtype.kind == "i" else piece
        # overlapping rows of one buffer; numpy's sliding_window_view is the same, and takes as long as a block's work
        yield np.ndarray((n, frame_length), np.float32, piece, 0, (4 * hop_length, 4))
