"""Estimate a recording's deviation from A4 = 440 Hz from the peaks of its spectrum, as librosa does."""

import numpy as np

from pipelines.features.kernels import sharing, stft

N_FFT, HOP_LENGTH = 2048, 512
FMIN, FMAX = 150.0, 4000.0  # Hz, where peaks are looked for
THRESHOLD = 0.1  # of a frame's largest bin
RESOLUTION = 0.01  # of a bin


@sharing.shared
def estimate(
    y: np.ndarray,
    sample_rate: int,
    bins_per_octave: int = 12,
    n_fft: int = N_FFT,
    hop_length: int = HOP_LENGTH,
    of_power: bool = False,
) -> float:
    """Deviation in bins, -0.5 to 0.5 (0 where there are no peaks); of_power: look at the power spectrum.

    Peaks are interpolated by a parabola; those at least as loud as the median peak vote for their distance from the
    nearest bin, and the fullest of a hundred boxes wins.
    """
    pitches, loudness = [], []
    for magnitude in stft.magnitude_blocks(y, n_fft, hop_length):
        hz, loud = _peaks(magnitude**2 if of_power else magnitude, sample_rate, n_fft)
        pitches.append(hz)
        loudness.append(loud)
    pitches, loudness = np.concatenate(pitches), np.concatenate(loudness)
    if not len(pitches):
        return 0.0
    pitches = pitches[loudness >= np.median(loudness)]
    residual = np.mod(bins_per_octave * np.log2(pitches / (440 / 16)), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, np.linspace(-0.5, 0.5, int(np.ceil(1 / RESOLUTION)) + 1))
    return float(edges[np.argmax(counts)])


def _peaks(spectrum: np.ndarray, sample_rate: int, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequency (Hz) and height of the peaks of all frames `(n_frames, bins)`."""
    hz = stft.frequencies(sample_rate, n_fft)
    kept = np.where(spectrum > THRESHOLD * spectrum.max(axis=1, keepdims=True), spectrum, 0)
    is_peak = np.zeros(spectrum.shape, dtype=bool)
    is_peak[:, 1:-1] = (kept[:, 1:-1] > kept[:, :-2]) & (kept[:, 1:-1] >= kept[:, 2:])
    is_peak &= (hz >= FMIN) & (hz < min(FMAX, sample_rate / 2))
    frame, place = np.nonzero(is_peak)
    before, here, after = (spectrum[frame, place + step] for step in (-1, 0, 1))
    curvature, slope = after + before - 2 * here, (after - before) / 2
    inside = np.abs(slope) < np.abs(curvature)  # else the parabola's top is beyond the neighbours
    shift = np.where(inside, -slope / np.where(inside, curvature, 1), 0)
    return (place + shift) * (sample_rate / n_fft), here + 0.5 * slope * shift
