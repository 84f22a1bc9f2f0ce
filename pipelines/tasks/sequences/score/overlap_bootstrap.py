"""Overlaps of resampled pieces, for intervals (Efron 1979).

A piece that is drawn twice has no distance from itself: each pair of two different pieces counts as often as both were drawn,
multiplied. Kernels and grid are those of the sample itself (`overlap.py`), so an interval holds them fixed.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist, pdist
from scipy.stats import gaussian_kde, norm

from pipelines.tasks.sequences.score import overlap

AT_ONCE = 100
"""Resamples: more take much memory."""


def draws(groups: Sequence, n_pieces: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """`(n_bootstrap, n_pieces)`: how often each piece is drawn, whole groups with replacement."""
    _, group = np.unique(groups, return_inverse=True)
    n_groups = group.max() + 1
    drawn = np.random.default_rng(seed).integers(0, n_groups, (n_bootstrap, n_groups))
    return np.stack([np.bincount(row, minlength=n_groups) for row in drawn])[:, group].reshape(-1, n_pieces)


def overlaps(people: np.ndarray, others: np.ndarray, people_drawn: np.ndarray, others_drawn: np.ndarray) -> np.ndarray:
    """`(n_bootstrap,)` overlapping areas of a statistic of people's pieces `(n,)` or `(n, values)` with that of others, as
    `overlap.compare` takes them, each piece as often as `draws` says. NaN for resamples without two different pieces.
    """
    (a, drawn), (b, others_drawn) = _known(people, people_drawn), _known(others, others_drawn)
    first, second = pdist(a), cdist(a, b).ravel()
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.full(len(drawn), 1.0)  # overlap.compare gives a figure for equal constants alone
    densities = [overlap.density(sample) for sample in (first, second)]
    grid = overlap.grid_of(first, second, densities)
    i, j = np.triu_indices(len(a), 1)
    found = []
    for rows in (slice(start, start + AT_ONCE) for start in range(0, len(drawn), AT_ONCE)):
        within = drawn[rows][:, i] * drawn[rows][:, j]
        between = (drawn[rows][:, :, None] * others_drawn[rows][:, None]).reshape(len(within), -1)
        p, q = (
            _densities(sample, times, density, grid)
            for sample, times, density in zip((first, second), (within, between), densities, strict=True)
        )
        found.append(np.trapezoid(np.minimum(p, q), grid, axis=1))
    return np.minimum(np.concatenate(found), 1.0)


def _densities(sample: np.ndarray, times: np.ndarray, density: gaussian_kde, grid: np.ndarray) -> np.ndarray:
    """`(resamples, grid)`: densities of a sample whose numbers occur so many `times` `(resamples, numbers)`."""
    centres = density.dataset[0]
    edges = np.histogram_bin_edges(sample, overlap.BINS)
    kernels = np.searchsorted(np.flatnonzero(np.histogram(sample, edges)[0]), _bins(sample, edges))
    selected = csr_array((np.ones(len(sample)), (np.arange(len(sample)), kernels)), shape=(len(sample), len(centres)))
    width = overlap.width(density)
    found = (times @ selected) @ norm.pdf(grid, centres[:, None], width)
    with np.errstate(invalid="ignore"):
        return found / np.trapezoid(found, grid, axis=1)[:, None]


def _bins(sample: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each number, as `np.histogram` counts them: the last has both of its edges."""
    return np.minimum(np.searchsorted(edges, sample, side="right") - 1, overlap.BINS - 1)


def _known(values: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.asarray(values, float).reshape(len(values), -1)
    finite = np.isfinite(rows).all(axis=1)
    return rows[finite], drawn[:, finite]
