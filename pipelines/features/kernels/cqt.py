"""Constant-Q magnitudes by librosa's recursion over octaves (Schoerkhuber & Klapuri 2010).

The highest octave's filters are applied at the full rate; then the signal is halved and the next octave is taken, so
that all octaves use short filters. Filters are built once for a rate, and are matrices in time: librosa transforms
each frame and multiplies by a sparse matrix of frequency, of which this is the same linear map in one product.
"""

from functools import lru_cache

import numpy as np
import scipy.fft
import soxr

from pipelines.features.kernels import sharing, signal, tuning

C1 = 440.0 * 2 ** (-45 / 12)  # Hz
HANN_BANDWIDTH = 1.50018310546875  # bins, librosa's constant
SPARSITY = 0.01  # share of a filter's spectrum that may be dropped: librosa's, to equal it
SEGMENT = 1 << 20  # samples
MARGIN = 512  # samples at the rate before halving: more than soxr's filter reaches
BLOCK = 512  # frames


@sharing.shared
def magnitude(
    y: np.ndarray,
    sample_rate: int,
    hop_length: int,
    fmin: float,
    n_bins: int,
    bins_per_octave: int,
    deviation: float | None = 0.0,
) -> np.ndarray:
    """|CQT| of `y` `(samples,)` as `(n_frames, n_bins)` float32, from `fmin` Hz; deviation: tuning in bins, None to
    estimate it.

    Long clips go through in segments with as much context as the lowest filter and the halvings reach.
    """
    if deviation is None:
        deviation = tuning.estimate(y, sample_rate, bins_per_octave)
    early, octaves = plan(sample_rate, hop_length, fmin * 2 ** (deviation / bins_per_octave), n_bins, bins_per_octave)
    signal.count_frames(y, 2, hop_length, 1)  # refuses what is not mono
    n_frames = _count_frames(len(y), hop_length, early, octaves)
    context = max((len(bank) // 2 + 2 * MARGIN) << (early + step) for bank, step in octaves)
    context = -(-context // hop_length) * hop_length  # whole hops, so that halved samples fall on the same places
    out = np.empty((n_frames, n_bins), dtype=np.float32)
    n_segment = max(1, SEGMENT // hop_length)
    for first in range(0, n_frames, n_segment):
        last = min(first + n_segment, n_frames)
        start = max(0, first * hop_length - context)
        part = signal.samples(y, start, min(len(y), last * hop_length + context))
        _segment(part, first - start // hop_length, out[first:last], hop_length, early, octaves)
    return out


def _segment(y: np.ndarray, first: int, out: np.ndarray, hop_length: int, early: int, octaves: tuple) -> None:
    """Fill `out` with frames `first` and on of `y`."""
    done, top = 0, out.shape[1]
    if early:
        y = _lower(y, 1 << early)
    for bank, step in octaves:
        while done < step:
            y, done = _lower(y, 2), done + 1
        hop, n_fft, width = hop_length >> (early + step), len(bank), bank.shape[1] // 2
        for place in range(0, len(out), BLOCK):
            n = min(BLOCK, len(out) - place)
            begin = (first + place) * hop - n_fft // 2
            piece = signal.samples(y, begin, begin + (n - 1) * hop + n_fft)
            frames = np.lib.stride_tricks.sliding_window_view(piece, n_fft)[::hop]
            both = np.ascontiguousarray(frames) @ bank  # a copy, without which numpy multiplies by loops
            out[place : place + n, top - width : top] = np.hypot(both[:, :width], both[:, width:])
        top -= width


def _lower(y: np.ndarray, factor: int) -> np.ndarray:
    """Every `factor`-th sample after a low pass (soxr HQ), scaled so that its energy stays."""
    n = -(-len(y) // factor)
    out = np.zeros(n, dtype=np.float32)
    if len(y):
        lower = soxr.resample(y, factor, 1, quality="HQ")[:n]
        out[: len(lower)] = lower
    return out * np.float32(np.sqrt(factor))


def _count_frames(n: int, hop_length: int, early: int, octaves: tuple) -> int:
    """Frames that all octaves have."""
    steps = {early + step for _, step in octaves}
    return min(1 + -(-n // (1 << step)) // (hop_length >> step) for step in steps)


@lru_cache(maxsize=16)
def plan(
    sample_rate: float, hop_length: int, fmin: float, n_bins: int, bins_per_octave: int
) -> tuple[int, tuple[tuple[np.ndarray, int], ...]]:
    """(halvings before the start, ((filters `(n_fft, 2 * bins)` float32: real parts, then imaginary; halvings since),
    ...)).

    Octaves go from the highest down. Raises `ValueError` where the highest filter passes half the sample rate.
    """
    if n_bins < 1 or bins_per_octave < 1 or fmin <= 0:
        raise ValueError(f"a CQT of {n_bins} bins, {bins_per_octave} an octave, from {fmin} Hz: all must be positive")
    ratios = np.outer(
        2.0 ** np.arange(-(-n_bins // bins_per_octave)), 2.0 ** (np.arange(bins_per_octave) / bins_per_octave)
    )
    hz, n_octaves = fmin * ratios.ravel()[:n_bins], len(ratios)
    step = 2.0 ** (2 / bins_per_octave)
    quality = (step + 1) / (step - 1)  # centre frequency over bandwidth
    cutoff = hz[-1] * (1 + 0.5 * HANN_BANDWIDTH / quality)
    if cutoff > sample_rate / 2:
        raise ValueError(
            f"the highest CQT filter ends at {cutoff:.0f} Hz, above half of {sample_rate} Hz: lower n_bins (n_octaves) or fmin"
        )
    halvings = (hop_length & -hop_length).bit_length() - 1  # how often the hop can be halved
    room = int(np.ceil(np.log2(sample_rate / 2 / cutoff))) - 2
    early = min(max(0, room), max(0, halvings - n_octaves + 1))
    top_rate, banks = sample_rate / 2**early, []
    for octave in range(n_octaves):
        halved = min(octave, halvings - early)
        last = n_bins - octave * bins_per_octave
        part = hz[max(0, last - bins_per_octave) : last]
        bank = _filters(part, top_rate / 2**halved, quality) * np.sqrt(2.0**halved)
        bank = bank / np.sqrt(quality * top_rate / part)
        banks.append((np.concatenate([bank.real, bank.imag], axis=1).astype(np.float32), halved))
    return early, tuple(banks)


def _filters(hz: np.ndarray, sample_rate: float, quality: float) -> np.ndarray:
    """Filters of one octave in time, complex `(n_fft, len(hz))`: windowed tones, with the smallest parts of their
    spectra dropped."""
    lengths = quality * sample_rate / hz
    n_fft = 1 << int(np.ceil(np.log2(lengths.max())))
    bank = np.zeros((len(hz), n_fft), dtype=np.complex64)
    for row, frequency, length in zip(bank, hz, lengths, strict=True):
        time = np.arange(-length // 2, length // 2)
        tone = np.exp(2j * np.pi * frequency / sample_rate * time) * signal.hann(len(time))
        begin = (n_fft - len(time)) // 2
        row[begin : begin + len(time)] = tone / np.abs(tone).sum()
    bank *= (lengths / n_fft)[:, None]
    spectrum = scipy.fft.fft(bank, axis=1)[:, : n_fft // 2 + 1]
    size = np.abs(spectrum)
    ordered = np.sort(size, axis=1)
    dropped = np.cumsum(ordered / size.sum(axis=1, keepdims=True), axis=1) < SPARSITY
    threshold = np.take_along_axis(ordered, np.argmin(dropped, axis=1)[:, None], axis=1)
    spectrum = np.where(size >= threshold, spectrum, 0).astype(np.complex128)
    # sum over bins k of B[k] X[k], X the frame's transform, is a product with the transform of B
    return scipy.fft.fft(spectrum, n=n_fft, axis=1).T
