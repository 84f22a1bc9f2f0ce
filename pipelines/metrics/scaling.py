"""Scaling fitted on training clips, never on scored clips."""

import numpy as np


def centre(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """`values` minus the mean of `reference`, over one number: the root of the mean variance of its dimensions (1 if that is 0).

    For embeddings, whose dimensions are of one unit. To divide each dimension by its own deviation would give directions of noise
    the weight of the others: with fewer clips than dimensions after a PCA, all distances become equal (62 clips of the demo,
    62 components: their spread is 0.000 so, and 0.228 by one number; k-NN .10 and .36).
    """
    scale = np.sqrt(reference.var(axis=0).mean())
    return (values - reference.mean(axis=0)) / (scale if scale > 1e-9 else 1.0)


def standardise(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """`values` minus the mean of `reference`, over its standard deviation; a constant dimension becomes 0. For features whose
    dimensions have different units."""
    deviation = reference.std(axis=0)
    return (values - reference.mean(axis=0)) / np.where(deviation > 1e-9, deviation, np.inf)
