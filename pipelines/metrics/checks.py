"""Check the input of metrics before anything is computed."""

import numpy as np


def embedding(points: np.ndarray, name: str = "points") -> np.ndarray:
    """`points` as float64 `(clips, d)`. ValueError where it has another shape, no clip, or NaN or infinite values."""
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or not points.size:
        raise ValueError(
            f"{name}: an array (clips, d) with at least one clip is needed, not one of shape {points.shape}"
        )
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name}: {bad.sum()} clips have NaN or infinite values (the first in row {bad.argmax()}); "
            "leave them out or embed them again"
        )
    return points


def classes(labels: np.ndarray, n: int, k: int) -> np.ndarray:
    """`labels` as integers `(n,)`. ValueError where their number is not n or one is not in 0..k-1."""
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"labels: {n} are needed, one per clip, but their shape is {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= k:
        raise ValueError(f"labels: numbers from 0 to {k - 1} are needed, one for each of the {k} class names")
    return labels


def numbered(groups: np.ndarray | None, n: int) -> np.ndarray:
    """Groups (any values) as numbers from 0, `(n,)`; None makes each clip its own group."""
    if groups is None:
        return np.arange(n)
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups: {n} are needed, one per clip, but their shape is {groups.shape}")
    return np.unique(groups, return_inverse=True)[1]
