"""Spectral contrast: the loudest against the quietest bins of each octave band.

With time as the first axis, the bins of a band are contiguous: numpy's sort of float32 (AVX-512, AVX2) takes a fifth of the
time of its partition, and less than a compiled selection of the few smallest and largest. Along the other axis, as in
librosa, it takes half the time of ten features.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np

from pipelines.features.kernels import mel, stft


def contrast(
    y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int, fmin: float, n_bands: int, quantile: float
) -> np.ndarray:
    """Peaks less valleys in dB, `(n_frames, n_bands + 1)` float32."""
    starts, stops, takes = _bands(sample_rate, n_fft, fmin, n_bands, quantile)
    ends = stft.each_block(lambda m: _extremes(m, starts, stops, takes), stft.magnitude_blocks(y, n_fft, hop_length))
    # librosa takes decibels of magnitudes as if they were powers, and limits valleys and peaks each by itself
    valleys, peaks = (mel.limited(10 * np.log10(np.maximum(ends[:, side], 1e-10))) for side in (0, 1))
    return (peaks - valleys).astype(np.float32)


@lru_cache
def _bands(
    sample_rate: float, n_fft: int, fmin: float, n_bands: int, quantile: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First bin, end, and how many bins make a valley or a peak, of each band."""
    hz = stft.frequencies(sample_rate, n_fft)
    edges = np.concatenate([[0.0], fmin * 2.0 ** np.arange(n_bands + 1)])
    if not (fmin > 0 and n_bands > 0 and 0 < quantile < 1):
        raise ValueError(f"contrast of fmin {fmin}, n_bands {n_bands}, quantile {quantile}: all must be positive")
    if edges[-2] >= sample_rate / 2:
        raise ValueError(
            f"the highest contrast band starts at {edges[-2]:g} Hz, above half of {sample_rate} Hz: lower n_bands or fmin"
        )
    starts, stops, takes = [], [], []
    for band, (low, high) in enumerate(pairwise(edges)):
        inside = np.flatnonzero((hz >= low) & (hz <= high))
        if len(inside) < 2 - (band > 0):
            raise ValueError(
                f"no bin of n_fft {n_fft} in the contrast band {low:g} to {high:g} Hz: raise n_fft or fmin"
            )
        # each band but the first begins a bin lower; the last goes on to the end, the others give up their last bin
        start, last_band = inside[0] - (band > 0), band == n_bands
        stop = len(hz) if last_band else inside[-1] + 1
        starts.append(start)
        stops.append(stop if last_band else stop - 1)
        takes.append(max(1, int(np.rint(quantile * (stop - start)))))
    return np.array(starts), np.array(stops), np.array(takes)


def _extremes(magnitude: np.ndarray, starts: np.ndarray, stops: np.ndarray, takes: np.ndarray) -> np.ndarray:
    """Mean of the `takes[band]` smallest and largest bins of each band: `(n_frames, 2, n_bands)` float64."""
    out = np.empty((len(magnitude), 2, len(starts)))
    for band, (start, stop, take) in enumerate(zip(starts, stops, takes, strict=True)):
        part = magnitude[:, start:stop]
        if take == 1:
            out[:, 0, band], out[:, 1, band] = part.min(axis=1), part.max(axis=1)
        else:
            ordered = np.sort(part, axis=1)
            out[:, 0, band], out[:, 1, band] = ordered[:, :take].mean(axis=1), ordered[:, -take:].mean(axis=1)
    return out
