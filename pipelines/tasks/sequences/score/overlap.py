"""How alike two sets of pieces are in one statistic: overlapping area and Kullback-Leibler divergence of distances.

Yang and Lerch 2020, "On the evaluation of generative models in music", Neural Computing and Applications 32, section 3.3: the
distances between pieces of one set, and those between pieces of both, as densities (Gaussian kernels, Scott's rule). Both
densities are taken on **one** grid that holds them whole. The published toolbox, mgeval, takes the divergence on a grid of each
one's own, and ends the area at the least and greatest distance: its figures are others.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist, pdist
from scipy.stats import gaussian_kde

BINS = 256
"""Of each sample, over its own range: narrow beside a kernel, and many times faster than a kernel for each distance."""
POINTS = (256, 4096)
"""Of the grid, at least and at most: two for each standard deviation of the narrower kernel."""
TAIL = 5.0
"""Standard deviations of the wider kernel that the grid goes on beyond the least and greatest distance."""


def compare(people: np.ndarray, others: np.ndarray) -> dict[str, float | None]:
    """`{"overlap", "kl"}` of a statistic of people's pieces `(n,)` or `(n, values)` and of other pieces: the overlapping area, 0
    to 1, and the divergence in nats from people's distances to those between the sets; 0 for equal ones. None where a set has
    fewer than three pieces with the statistic, or where all distances of one kind are equal: they have no density."""
    a, b = (_rows(each) for each in (people, others))
    if min(len(a), len(b)) < 3:
        return {"overlap": None, "kl": None}
    overlap, kl = of_samples(pdist(a), cdist(a, b).ravel())
    return {"overlap": overlap, "kl": kl}


def of_samples(first: np.ndarray, second: np.ndarray) -> tuple[float | None, float | None]:
    """(overlapping area, divergence of `second` from `first` in nats) of the densities of two samples of numbers."""
    constant = [np.ptp(sample) <= 1e-9 * np.abs(sample).max() for sample in (first, second)]
    if any(constant):
        return (1.0, 0.0) if all(constant) and np.isclose(first[0], second[0]) else (None, None)
    densities = [density(sample) for sample in (first, second)]
    grid = grid_of(first, second, densities)
    p, q = (each.logpdf(grid) for each in densities)  # logarithms: far from a sample its density is below any float
    p, q = (each - np.log(np.trapezoid(np.exp(each), grid)) for each in (p, q))
    overlap = np.trapezoid(np.exp(np.minimum(p, q)), grid)
    return float(min(overlap, 1.0)), float(max(np.trapezoid(np.exp(p) * (p - q), grid), 0.0))


def grid_of(first: np.ndarray, second: np.ndarray, densities: Sequence[gaussian_kde]) -> np.ndarray:
    """The points of the one grid that holds both densities."""
    widths = [width(each) for each in densities]
    both, room = np.concatenate([first, second]), TAIL * max(widths)
    low, high = both.min() - room, both.max() + room
    return np.linspace(low, high, int(np.clip(2 * (high - low) / min(widths), *POINTS)))


def width(density: gaussian_kde) -> float:
    """The standard deviation of its kernels."""
    return float(np.sqrt(density.covariance.item()))


def density(sample: np.ndarray) -> gaussian_kde:
    """The density of a sample of numbers that are not all equal: a kernel for each bin with some, at their mean."""
    counts, edges = np.histogram(sample, BINS)
    sums, _ = np.histogram(sample, edges, weights=sample)
    there = counts > 0
    # Scott's factor of the sample itself: that of weights is of their effective number
    return gaussian_kde(sums[there] / counts[there], len(sample) ** -0.2, weights=counts[there])


def _rows(values: np.ndarray) -> np.ndarray:
    rows = np.asarray(values, float).reshape(len(values), -1)
    return rows[np.isfinite(rows).all(axis=1)]
