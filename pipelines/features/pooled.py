"""Pooled features: statistics over a clip of the descriptors that classical classifiers use.

By default mean and standard deviation of log-mel, MFCC, chroma, spectral centroid, bandwidth, rolloff, flatness,
contrast, RMS and zero crossings, all from one STFT, with librosa 0.11's definitions and defaults (tuning fixed at 0);
the tests compare both.

descriptors: which, of `DESCRIPTORS` below; null for those ten. statistics: of mean, std, min, max, median, skew (third
moment over std^3, 0 for a constant). deltas: 1 adds the same statistics of each descriptor's slope over 9 frames, 2
also of its curvature.
Units: Hz for frequencies, dB for log-mel, MFCC and contrast, as in the feature of that name.
Shape: one value a column, `<descriptor>[_delta|_delta2][_<band>]_<statistic>`.
Equal to the statistics of librosa's frames, within 1e-4 of the descriptor's maximum.
"""

from collections.abc import Callable, Sequence

import numpy as np

from pipelines.features.kernels import cepstrum, chroma, contrast, cqt, energy, mel, pooling, rhythm, sharing, spectral

KIND = "pooled"
# name -> frames `(n_frames, bands)` from the clip and the parameters `p`
DESCRIPTORS: dict[str, Callable] = {
    "log_mel": lambda y, rate, p: _log_mel(y, rate, p),
    "mfcc": lambda y, rate, p: cepstrum.mfcc(_log_mel(y, rate, p), p["n_mfcc"]),
    "chroma": lambda y, rate, p: chroma.from_spectrum(y, rate, p["n_fft"], p["hop_length"], 12, 0.0),
    "centroid": lambda y, rate, p: spectral.centroid(y, rate, p["n_fft"], p["hop_length"]),
    "bandwidth": lambda y, rate, p: spectral.bandwidth(y, rate, p["n_fft"], p["hop_length"]),
    "rolloff": lambda y, rate, p: spectral.rolloff(y, rate, p["n_fft"], p["hop_length"], 0.85),
    "flatness": lambda y, rate, p: spectral.flatness(y, p["n_fft"], p["hop_length"]),
    "contrast": lambda y, rate, p: contrast.contrast(y, rate, p["n_fft"], p["hop_length"], 200.0, 6, 0.02),
    "rms": lambda y, rate, p: energy.rms(y, p["n_fft"], p["hop_length"]),
    "zero_crossing_rate": lambda y, rate, p: energy.zero_crossing_rate(y, p["n_fft"], p["hop_length"]),
    "onset_strength": lambda y, rate, p: rhythm.onset_strength(
        y, rate, p["n_fft"], p["hop_length"], p["n_mels"], p["fmin"], p["fmax"]
    )[:, None],
    "cqt": lambda y, rate, p: cqt.magnitude(y, rate, p["hop_length"], cqt.C1, 84, 12),
    "chroma_cqt": lambda y, rate, p: chroma.normalised(_chroma_cqt(y, rate, p), np.inf),
    "tonnetz": lambda y, rate, p: chroma.tonnetz(_chroma_cqt(y, rate, p)),
}
DEFAULT = tuple(DESCRIPTORS)[:10]


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    n_mfcc: int = 20,
    fmin: float = 0,
    fmax: float | None = 8000,
    descriptors: Sequence[str] | None = None,
    statistics: Sequence[str] = ("mean", "std"),
    deltas: int = 0,
) -> dict[str, float]:
    """`{"<descriptor>[_delta|_delta2][_<band>]_<statistic>": value}`."""
    parameters = {
        "n_fft": n_fft,
        "hop_length": hop_length,
        "n_mels": n_mels,
        "n_mfcc": n_mfcc,
        "fmin": fmin,
        "fmax": fmax,
    }
    names = DEFAULT if descriptors is None else tuple(descriptors)
    unknown = sorted(set(names) - set(DESCRIPTORS))
    if unknown or deltas not in (0, 1, 2):
        raise ValueError(f"descriptors {unknown}, deltas {deltas}: use some of {', '.join(DESCRIPTORS)}, and 0, 1 or 2")
    if "contrast" in names and sample_rate <= 12_800:
        raise ValueError("contrast needs a sample rate above 12,800 Hz: list the other descriptors in `descriptors`")
    pooled = {}
    with sharing.one_pass():
        for name in names:
            frames = DESCRIPTORS[name](y, sample_rate, parameters)
            for order, suffix in enumerate(("", "_delta", "_delta2")[: deltas + 1]):
                pooled |= _columns(name + suffix, pooling.delta(frames, order) if order else frames, statistics)
    return pooled


def _columns(name: str, frames: np.ndarray, statistics: Sequence[str]) -> dict[str, float]:
    bands = [""] if frames.shape[1] == 1 else [f"_{band:03d}" for band in range(frames.shape[1])]
    return {
        f"{name}{band}_{statistic}": float(value)
        for statistic in statistics
        for band, value in zip(bands, pooling.statistic(statistic, frames), strict=True)
    }


def _log_mel(y: np.ndarray, sample_rate: int, p: dict) -> np.ndarray:
    return mel.log_mel_slaney(y, sample_rate, p["n_fft"], p["hop_length"], p["n_mels"], p["fmin"], p["fmax"])


def _chroma_cqt(y: np.ndarray, sample_rate: int, p: dict) -> np.ndarray:
    return chroma.from_cqt(y, sample_rate, p["hop_length"], cqt.C1, 12, 7, 36, 0.0)
