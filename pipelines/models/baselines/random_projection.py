"""Random projection of the standardised pooled features: only their scale is fitted.

Gaussian, so that distances are kept on average (Johnson and Lindenstrauss 1984)."""

import numpy as np
from sklearn.random_projection import GaussianRandomProjection

from pipelines.metrics.scaling import standardise


def embed(pooled: np.ndarray, reference: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """`(clips, dimensions)`."""
    projection = GaussianRandomProjection(dimensions, random_state=seed)
    return projection.fit_transform(standardise(pooled, reference)).astype(np.float32)
