"""Deltas, and statistics over a clip's frames."""

import numpy as np

WIDTH = 9  # frames a delta looks at
BANDS_AT_ONCE = 8  # statistics are of float64 copies of so many bands


def delta(frames: np.ndarray, order: int = 1) -> np.ndarray:
    """Slope (order 1) or curvature (order 2) over time of `(n_frames, bands)`, a frame: a polynomial fitted to 9
    frames.

    Savitzky-Golay, librosa's `delta`. Fewer than 9 frames, where librosa refuses, are continued by their ends.
    """
    mode = "interp" if len(frames) >= WIDTH else "nearest"
    if not len(frames):
        return frames
    from scipy.signal import savgol_filter  # half a second, and only deltas want it

    return savgol_filter(frames, WIDTH, polyorder=order, deriv=order, axis=0, mode=mode)


def statistic(name: str, frames: np.ndarray) -> np.ndarray:
    """`name` (one of `STATISTICS`) over time of `(n_frames, bands)`: `(bands,)` float64; zeros where there are no
    frames."""
    if name not in STATISTICS:
        raise ValueError(f"no statistic {name!r}: use some of {', '.join(STATISTICS)}")
    if not len(frames):
        return np.zeros(frames.shape[1])
    parts = range(0, frames.shape[1], BANDS_AT_ONCE)
    return np.concatenate([STATISTICS[name](frames[:, at : at + BANDS_AT_ONCE].astype(np.float64)) for at in parts])


def _skew(values: np.ndarray) -> np.ndarray:
    """Third central moment over the standard deviation's cube (biased, as scipy's); 0 for a constant."""
    centred = values - values.mean(axis=0)
    second, third = np.mean(centred**2, axis=0), np.mean(centred**3, axis=0)
    constant = second <= (np.finfo(np.float32).eps * np.abs(values).max(axis=0)) ** 2
    return np.where(constant, 0, third / np.where(constant, 1, second) ** 1.5)


STATISTICS = {
    "mean": lambda values: values.mean(axis=0),
    "std": lambda values: values.std(axis=0),
    "min": lambda values: values.min(axis=0),
    "max": lambda values: values.max(axis=0),
    "median": lambda values: np.median(values, axis=0),
    "skew": _skew,
}
