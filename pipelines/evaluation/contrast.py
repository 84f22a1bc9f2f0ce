"""Concentration of distances: check that the distances between clips of an embedding differ enough to be meaningful.

With fewer clips than dimensions of similar variance, all pairs are about equally far apart (Beyer et al. 1999, "When is nearest
neighbor meaningful?"). Clusters and neighbours are then noise, for any music.
"""

import numpy as np
from scipy.spatial.distance import pdist

FLAT = 0.1
"""With a spread below this, distances hardly differ; points without structure reach it in 50 dimensions."""
MAX_CLIPS = 1000


def contrast(points: np.ndarray, seed: int) -> dict:
    """`{"spread", "effective_rank", "dimensions"}` of `points` `(clips, d)`.

    spread: standard deviation over mean of the distances of all pairs (of at most 1,000 clips, drawn by the seed), 0 where
    all are equal; effective_rank: how many directions the clips vary in, the exponential of the entropy of the covariance's
    eigenvalues (Roy and Vetterli 2007).
    """
    points = np.asarray(points, dtype=np.float64)
    if len(points) > MAX_CLIPS:
        points = points[np.random.default_rng(seed).choice(len(points), MAX_CLIPS, replace=False)]
    distances = pdist(points)
    mean = distances.mean() if len(distances) else 0.0
    variances = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    shares = variances[variances > 1e-12 * max(variances.max(initial=0), 1e-300)] / max(variances.sum(), 1e-300)
    return {
        "spread": float(distances.std() / mean) if mean > 0 else 0.0,
        "effective_rank": float(np.exp(-(shares * np.log(shares)).sum())) if mean > 0 else 0.0,
        "dimensions": points.shape[1],
    }
