"""Standardising by clips that may be looked at (train), never by those that are scored."""

import numpy as np


def standardise(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """`values` minus the mean of `reference`, over its standard deviation; a constant dimension becomes 0."""
    deviation = reference.std(axis=0)
    return (values - reference.mean(axis=0)) / np.where(deviation > 1e-9, deviation, np.inf)
