"""Pooled features after PCA: standardised and projected on the directions of most variance, both fitted on `reference`."""

import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from pipelines.evaluation.scaling import standardise


def embed(pooled: np.ndarray, reference: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """`(clips, min(dimensions, statistics, reference clips))`."""
    fitted_on = standardise(reference, reference)
    dimensions = min(dimensions, *fitted_on.shape)
    with threadpool_limits(1):
        pca = PCA(dimensions, svd_solver="full", random_state=seed).fit(fitted_on)
        return pca.transform(standardise(pooled, reference)).astype(np.float32)
