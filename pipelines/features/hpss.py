"""hpss (slow, opt-in): harmonic and percussive magnitudes (Fitzgerald 2010; masks by Driedger, Mueller & Disch 2014).

Definition: H and P are medians of |STFT| over `kernel_size` frames and over `kernel_size` bins; the magnitude times
H^2 / (H^2 + P^2) is harmonic, times P^2 / (H^2 + P^2) percussive. margin > 1 multiplies the other side first, and
leaves a residual.
Units: as stft. Shape: `(1 + samples // hop_length, 2 * (1 + n_fft // 2))`: harmonic bins, then percussive bins.
Equal to `librosa.decompose.hpss(abs(librosa.stft(y)))` within 1e-5 of its maximum. Medians look kernel_size / 2
frames ahead and back, so a clip goes through in segments; the result alone is 8 bytes a frame and bin.
"""

from collections.abc import Iterator

import numpy as np
import scipy.ndimage

from pipelines.features.kernels import stft

KIND = "frames"
DTYPE = "float32"  # quiet bins are below what float16 holds
SEGMENT = 1024  # frames


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    kernel_size: int = 31,
    margin: float = 1.0,
) -> np.ndarray:
    """`(1 + samples // hop_length, 2 * (1 + n_fft // 2))` float32."""
    if margin < 1 or kernel_size < 1:
        raise ValueError(f"margin {margin}, kernel_size {kernel_size}: both must be at least 1")
    blocks = stft.magnitude_blocks(y, n_fft, hop_length)
    return stft.joined(
        _separate(piece, kernel_size, margin)[first:last]
        for piece, first, last in _segments(blocks, kernel_size // 2 + 1)
    )


def _segments(blocks, context: int) -> Iterator[tuple[np.ndarray, int, int]]:
    """Magnitudes of SEGMENT frames and more with `context` on both sides, and which frames of them are meant."""
    held, first = [], 0
    for block in blocks:
        held.append(block)
        ready = sum(map(len, held)) - context
        if ready - first >= SEGMENT:
            piece = np.concatenate(held)
            yield piece, first, ready
            kept = max(0, ready - context)
            held, first = [piece[kept:]], ready - kept
    piece = np.concatenate(held)
    yield piece, first, len(piece)


def _separate(magnitude: np.ndarray, kernel_size: int, margin: float) -> np.ndarray:
    # scipy's own reflection reads beyond the array where it has two or three frames
    pad = kernel_size // 2
    padded = np.pad(magnitude, ((pad, pad), (0, 0)), mode="symmetric")
    harmonic = scipy.ndimage.median_filter(padded, size=(kernel_size, 1))[pad : pad + len(magnitude)]
    percussive = scipy.ndimage.median_filter(magnitude, size=(1, kernel_size), mode="reflect")
    even = margin == 1  # what is in neither goes half and half, so that both add up to the whole
    masks = _mask(harmonic, percussive * margin, even), _mask(percussive, harmonic * margin, even)
    return np.concatenate([magnitude * mask for mask in masks], axis=1).astype(np.float32)


def _mask(wanted: np.ndarray, other: np.ndarray, even: bool) -> np.ndarray:
    larger = np.maximum(wanted, other)
    empty = larger < np.finfo(np.float32).tiny
    larger = np.where(empty, 1, larger)
    ours, theirs = (wanted / larger) ** 2, (other / larger) ** 2
    return np.where(empty, 0.5 if even else 0.0, ours / np.where(empty, 1, ours + theirs))
