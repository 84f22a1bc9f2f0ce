"""Drift of features between two sets of clips: of each feature, and of all together.

The population stability index (Siddiqi 2006; usual reading: below 0.1 stable, above 0.25 shifted), the two-sample
Kolmogorov-Smirnov statistic, and the maximum mean discrepancy (Gretton et al. 2012, JMLR 13).
"""

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist, pdist
from scipy.stats import chi2, ks_2samp

from pipelines.evaluation.paired import holm
from pipelines.metrics.scaling import standardise

SHIFTED = 0.25


def psi(reference: np.ndarray, present: np.ndarray, bins: int) -> float:
    """Population stability index of one feature, in nats: sum of (p - q) ln(p / q) over `bins` quantile bins of `reference`.

    Half a clip is added to every bin, so that an empty one stays finite. Equal quantiles (a feature of few values) make
    fewer bins.
    """
    edges = _edges(reference, bins)
    p, q = (_shares(np.searchsorted(edges, values, side="left"), len(edges) + 1) for values in (reference, present))
    return float(((q - p) * np.log(q / p)).sum())


def psi_p(value: float, reference: np.ndarray, present: np.ndarray, bins: int) -> float:
    """How often a PSI is as high without any drift: it is about (1/n + 1/m) times a chi-squared of one degree less than the bins
    (Yurdakul and Naranjo 2020, Journal of Risk Model Validation 14). Of 30 and 30 clips in ten bins it is .46 on average, so that
    the usual reading calls most features shifted."""
    return float(chi2.sf(value / _spread(len(reference), len(present), bins), len(_edges(reference, bins))))


def mmd(reference: np.ndarray, present: np.ndarray, n_permutations: int, seed: int) -> dict:
    """Squared maximum mean discrepancy of `(n, d)` and `(m, d)`, unbiased, with a Gaussian kernel as wide as the median distance.

    Returns {"mmd2", "p"}: p is the share of permutations of the clips (the observed one counted) that part them as far. Clips
    that stand on both sides make it too large, never too small.
    """
    n, m = len(reference), len(present)
    if n < 2 or m < 2:
        raise ValueError("at least two clips are needed on each side")
    both = np.concatenate([reference, present]).astype(np.float64)
    distances = pdist(both, "sqeuclidean")
    width = np.median(distances[distances > 0]) if (distances > 0).any() else 1.0
    kernel = np.exp(-cdist(both, both, "sqeuclidean") / width)
    np.fill_diagonal(kernel, 0)  # unbiased: no clip is compared with itself
    total, rows = kernel.sum(), kernel.sum(axis=1)

    def statistic(inside: np.ndarray) -> float:
        within = inside @ kernel @ inside
        outside = total - 2 * (rows @ inside) + within
        across = (total - within - outside) / 2
        return within / (n * (n - 1)) + outside / (m * (m - 1)) - 2 * across / (n * m)

    inside = np.repeat([1.0, 0.0], [n, m])
    observed = statistic(inside)
    generator = np.random.default_rng(seed)
    others = np.array([statistic(generator.permutation(inside)) for _ in range(n_permutations)])
    # equal sides, added up in another order, differ by rounding
    return {"mmd2": float(observed), "p": float((1 + (others >= observed - 1e-12).sum()) / (1 + n_permutations))}


def compare(
    reference: pd.DataFrame, present: pd.DataFrame, bins: int, max_clips: int, n_permutations: int, seed: int
) -> dict:
    """Drift of `present` against `reference`: a row a clip, a column a feature; the columns they share are compared.

    Returns n_reference, n_present, n_features, not_shared (columns of one side alone); psi `{"mean", "max", "expected" (the
    mean without drift), "n_high" (those above 0.25), "n_shifted" (of them, those beyond what no drift would give: `psi_p` below
    0.05, Holm's correction)}`; ks `{"max", "n_different"}` (p below 0.05, Holm's correction); mmd `{"mmd2", "p", "n"}` on
    standardised features, of at most `max_clips` clips a side, drawn by the seed; largest: the five features with the largest
    PSI `[name, psi, ks]`.
    ValueError where no column is shared, a value is not finite, or a side has fewer than two clips.
    """
    shared = [name for name in reference if name in present]
    if not shared:
        raise ValueError("the two sides have no feature in common")
    a, b = reference[shared].to_numpy(np.float64), present[shared].to_numpy(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("the features have NaN or infinite values")
    if len(a) < 2 or len(b) < 2:
        raise ValueError(f"at least two clips are needed on each side, not {len(a)} and {len(b)}")
    indices = np.array([psi(a[:, column], b[:, column], bins) for column in range(len(shared))])
    chances = [psi_p(value, a[:, column], b[:, column], bins) for column, value in enumerate(indices)]
    shifted = (indices > SHIFTED) & (holm(np.array(chances)) < 0.05)
    tests = [ks_2samp(a[:, column], b[:, column], method="asymp") for column in range(len(shared))]
    distances = np.array([test.statistic for test in tests])
    different = holm(np.array([test.pvalue for test in tests])) < 0.05
    drawn = [_draw(side, max_clips, seed) for side in (a, b)]
    together = mmd(*(standardise(side, a) for side in drawn), n_permutations, seed)
    largest = np.argsort(-indices, kind="stable")[:5]
    return {
        "n_reference": len(a),
        "n_present": len(b),
        "n_features": len(shared),
        "not_shared": sorted(set(reference) ^ set(present)),
        "psi": {
            "mean": float(indices.mean()),
            "max": float(indices.max()),
            "n_shifted": int(shifted.sum()),
            "n_high": int((indices > SHIFTED).sum()),
            "expected": float(np.mean([len(_edges(column, bins)) for column in a.T])) * _spread(len(a), len(b), bins),
        },
        "ks": {"max": float(distances.max()), "n_different": int(different.sum())},
        "mmd": {**together, "n": [len(side) for side in drawn]},
        "largest": [[shared[place], float(indices[place]), float(distances[place])] for place in largest],
    }


def _edges(reference: np.ndarray, bins: int) -> np.ndarray:
    edges = np.unique(np.quantile(reference, np.arange(1, bins) / bins))
    lowest = reference.min()
    # many clips at the lowest value: what lies below it is a bin of its own
    return np.concatenate([[np.nextafter(lowest, -np.inf)], edges]) if edges[0] <= lowest else edges


def _spread(n: int, m: int, bins: int) -> float:
    """What a chi-squared is multiplied by: 1/n + 1/m, damped by the half clips that are added to each bin."""
    return 1 / (n + bins) + 1 / (m + bins)


def _shares(places: np.ndarray, bins: int) -> np.ndarray:
    counts = np.bincount(places, minlength=bins) + 0.5
    return counts / counts.sum()


def _draw(values: np.ndarray, at_most: int, seed: int) -> np.ndarray:
    if len(values) <= at_most:
        return values
    return values[np.sort(np.random.default_rng(seed).choice(len(values), at_most, replace=False))]
