"""Bootstrap intervals, and the verdict on a score by its interval."""

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

FEWEST = 4  # of fewer, resamples are nearly all alike: an interval would say that the score is known exactly
WITHHELD = f"no interval: fewer than {FEWEST} groups"


def by_group(score: Callable, groups: np.ndarray) -> tuple[Callable, int]:
    """(score of drawn groups, number of groups), for `bootstrap`: a drawn group (a work, an artist) brings all of its rows.
    groups: `(rows,)` numbers from 0."""
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    return lambda drawn: score(np.concatenate([members[group] for group in drawn])), len(members)


def resampled(score: Callable, n: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """`score(rows)`, a number or several, of `n_bootstrap` resamples with replacement of `n` rows (Efron 1979)."""
    generator = np.random.default_rng(seed)
    return np.array([score(generator.integers(0, n, n)) for _ in range(n_bootstrap)])


def percentiles(scores: np.ndarray, level: float = 0.95) -> list:
    """The central interval of resampled scores `(n_bootstrap,)`, or one for each column. Those that could not be computed (NaN)
    are left out."""
    tail = 100 * (1 - level) / 2
    return np.nanpercentile(scores, [tail, 100 - tail], axis=0).T.tolist()


def bootstrap(score: Callable, n: int, n_bootstrap: int, seed: int, level: float = 0.95) -> list | None:
    """Percentile interval of `score(rows)` over `n_bootstrap` resamples with replacement of `n` rows (Efron 1979).

    `score` gets an array of row numbers and returns a number or several; the result is `[low, high]`, or one such pair
    for each. Resamples it cannot score (NaN) are left out. None, or a None for each, where n is below `FEWEST`.
    """
    if n < FEWEST:
        values = score(np.arange(n))
        return [None] * len(values) if np.ndim(values) else None
    return percentiles(resampled(score, n, n_bootstrap, seed), level)


def above(interval: list[float] | None, reference: float) -> bool | None:
    """Does the whole interval lie above `reference`? None where there is no interval: it is not known."""
    return interval[0] > reference if interval else None


def written(interval: list[float] | None, form: str = ".3f") -> str:
    """An interval in words: `[0.100, 0.300]`, or why there is none."""
    return f"[{interval[0]:{form}}, {interval[1]:{form}}]" if interval else f"({WITHHELD})"


def reflected(
    interval: list[float] | None, value: float, lowest: float = 0.0, highest: float = 1.0
) -> list[float] | None:
    """The basic interval (Davison and Hinkley 1997, section 5.2) from a percentile one: `[2 value - high, 2 value - low]`,
    cut to what the score can be. For a score that resampling itself raises or lowers, as copies of a clip raise a PR-AUC."""
    if interval is None:
        return None
    low, high = (min(max(2 * value - end, lowest), highest) for end in interval)
    return [high, low]


def equal_passes(width: float, margin: float) -> float:
    """The chance that an equal model passes a non-inferiority test with this margin, from the width of the 95% interval of the
    difference: that is about normal around 0, and the interval's lower end lies 1.96 deviations below it."""
    deviation = width / (2 * 1.96)
    return float(ndtr(margin / deviation - 1.96)) if deviation > 0 else 1.0
