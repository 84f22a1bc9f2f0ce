"""Pooled features after PCA: standardised and projected on the directions of largest variance, both fitted on `reference`.

Components keep their variances: with unit variance, the noise of the last would count as much as the first."""

import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from pipelines.metrics.scaling import standardise


def embed(pooled: np.ndarray, reference: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """`(clips, d)`, d = min(dimensions, statistics, half of the reference clips)."""
    fitted_on = standardise(reference, reference)
    dimensions = min(dimensions, fitted_on.shape[1], max(1, len(fitted_on) // 2))
    with threadpool_limits(1):
        pca = PCA(dimensions, svd_solver="full", random_state=seed).fit(fitted_on)
        return pca.transform(standardise(pooled, reference)).astype(np.float32)
