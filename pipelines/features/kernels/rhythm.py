"""Onset strength, tempogram, tempo and beats, as in librosa 0.11."""

from collections.abc import Iterator

import numba
import numpy as np
import scipy.fft

from pipelines.features.kernels import mel, sharing, signal

BLOCK = 512  # frames
MAX_BPM = 320.0
AGGREGATES = {"mean": np.mean, "median": np.median}


@sharing.shared
def onset_strength(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int,
    hop_length: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    lag: int = 1,
    aggregate: str = "mean",
) -> np.ndarray:
    """Spectral flux: the rise of log-mel (dB, Slaney) over `lag` frames, falls left out, its mean or median over bands.

    `(1 + samples // hop_length,)` float32; moved by half a window, so that a peak is at the time of its onset.
    """
    if lag < 1 or aggregate not in AGGREGATES:
        raise ValueError(
            f"lag {lag}, aggregate {aggregate!r}: use a lag of at least 1, and one of {sorted(AGGREGATES)}"
        )
    levels = mel.log_mel_slaney(y, sample_rate, n_fft, hop_length, n_mels, fmin, fmax)
    out = np.zeros(len(levels), dtype=np.float32)
    moved = lag + n_fft // (2 * hop_length)
    for first in range(0, len(levels) - moved, BLOCK):
        last = min(first + BLOCK, len(levels) - moved)
        rise = np.maximum(0, levels[first + lag : last + lag] - levels[first:last])
        out[first + moved : last + moved] = AGGREGATES[aggregate](rise, axis=1)
    return out


def tempogram_blocks(envelope: np.ndarray, win_length: int) -> Iterator[np.ndarray]:
    """Autocorrelation of the onset envelope around each frame, lag 0 to `win_length` frames, its largest 1: blocks
    `(n, win_length)` float64."""
    pad = win_length // 2
    padded = np.pad(envelope, pad, mode="linear_ramp", end_values=0) if len(envelope) else np.zeros(2 * pad)
    frames = np.lib.stride_tricks.sliding_window_view(padded, win_length)[: len(envelope)]
    taper = signal.hann(win_length)
    size = scipy.fft.next_fast_len(2 * win_length - 1, real=True)
    for first in range(0, len(frames), BLOCK):
        spectrum = scipy.fft.rfft(frames[first : first + BLOCK] * taper, n=size, axis=1)
        lags = scipy.fft.irfft(spectrum.real**2 + spectrum.imag**2, n=size, axis=1)[:, :win_length]
        largest = np.abs(lags).max(axis=1, keepdims=True)
        yield lags / np.where(largest < np.finfo(np.float64).tiny, 1, largest)


def tempo(
    envelope: np.ndarray, sample_rate: int, hop_length: int, start_bpm: float, std_bpm: float, ac_size: float
) -> float:
    """Beats a minute: the period whose mean autocorrelation, weighted by a log-normal around `start_bpm`, is largest.

    `std_bpm` is that curve's width in octaves, `ac_size` the window in seconds. Ellis 2007.
    """
    win_length = int(ac_size * sample_rate) // hop_length
    if win_length < 2 or start_bpm <= 0 or std_bpm <= 0:
        raise ValueError(f"tempo from {ac_size} s around {start_bpm} +- {std_bpm} BPM: all must be positive")
    mean = sum((block.sum(axis=0) for block in tempogram_blocks(envelope, win_length)), np.zeros(win_length))
    mean /= max(1, len(envelope))
    bpm = 60 * sample_rate / (hop_length * np.arange(1.0, win_length))  # lag 0 is no period
    weight = -0.5 * ((np.log2(bpm) - np.log2(start_bpm)) / std_bpm) ** 2
    allowed = bpm < MAX_BPM
    if allowed.any():
        weight[~allowed] = -np.inf
    return float(bpm[np.argmax(np.log1p(1e6 * mean[1:]) + weight)])


def beats(envelope: np.ndarray, frame_rate: float, bpm: float, tightness: float, trim: bool) -> np.ndarray:
    """Frame numbers of beats (Ellis 2007, Beat tracking by dynamic programming), `(n,)`; none in an envelope of zeros.

    `tightness` weighs even spacing against loud onsets; trim: leave out weak beats at both ends.
    """
    if not envelope.any():
        return np.zeros(0, dtype=np.int64)
    spacing = max(1.0, float(np.round(frame_rate * 60 / bpm)))
    levels = envelope / (envelope.std(ddof=1) + np.finfo(np.float32).tiny)
    reach = np.arange(-spacing, spacing + 1)
    taper = np.exp(-0.5 * (reach * 32 / spacing) ** 2)
    score = np.convolve(levels, taper)[int(spacing) :][: len(levels)]
    links, totals = _link(score, spacing, float(tightness))
    path, place = [], _last_beat(totals)
    while place >= 0:
        path.append(place)
        place = links[place]
    path = np.array(path[::-1])
    return path[_strong(score, path, trim)]


def _last_beat(totals: np.ndarray) -> int:
    """The last peak of the running score that is at least half the median peak."""
    is_peak = np.zeros(len(totals), dtype=bool)
    is_peak[1:-1] = (totals[1:-1] > totals[:-2]) & (totals[1:-1] >= totals[2:])
    is_peak[-1] = len(totals) > 1 and totals[-1] > totals[-2]
    if not is_peak.any():
        return len(totals) - 1
    places = np.flatnonzero(is_peak & (totals >= 0.5 * np.median(totals[is_peak])))
    return int(places[-1]) if len(places) else len(totals) - 1


def _strong(score: np.ndarray, path: np.ndarray, trim: bool) -> np.ndarray:
    """Which beats stay: those between the first and the last frame above half the RMS of the (smoothed) beats'
    scores."""
    taper = np.hanning(5)
    smooth = np.convolve(score[path], taper)[2 : len(score) + 2]
    threshold = 0.5 * np.sqrt(np.mean(smooth**2)) if trim else 0.0
    above = np.flatnonzero(score > threshold)
    if not len(above):
        return np.zeros(len(path), dtype=bool)
    return (path >= above[0]) & (path <= above[-1])


@numba.njit(nogil=True, cache=True)
def _link(score, spacing, tightness):
    """The best predecessor of each frame (-1: none), half to two beats back, and the score of the path that ends
    there."""
    links, totals = np.empty(len(score), np.int64), np.empty(len(score))
    threshold, started, log_spacing = 0.01 * score.max(), False, np.log(spacing)
    nearest, farthest = int(np.round(spacing / 2)), int(2 * spacing)
    for place in range(len(score)):
        best, link = -np.inf, -1
        for before in range(place - nearest, max(-1, place - farthest - 1), -1):
            value = totals[before] - tightness * (np.log(place - before) - log_spacing) ** 2
            if value > best:
                best, link = value, before
        totals[place] = score[place] + best if link >= 0 else score[place]
        started = started or score[place] >= threshold
        links[place] = link if started else -1
    return links, totals
