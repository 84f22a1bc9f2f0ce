"""Bootstrap intervals."""

from collections.abc import Callable

import numpy as np


def bootstrap(score: Callable, n: int, n_bootstrap: int, seed: int, level: float = 0.95) -> list:
    """Percentile interval of `score(rows)` over `n_bootstrap` resamples with replacement of `n` rows (Efron 1979).

    `score` gets an array of row numbers and returns a number or several; the result is `[low, high]`, or one such pair
    for each. Resamples it cannot score (NaN) are left out.
    """
    generator = np.random.default_rng(seed)
    scores = np.array([score(generator.integers(0, n, n)) for _ in range(n_bootstrap)])
    tail = 100 * (1 - level) / 2
    return np.nanpercentile(scores, [tail, 100 - tail], axis=0).T.tolist()


def reflected(interval: list[float], value: float, lowest: float = 0.0, highest: float = 1.0) -> list[float]:
    """The basic interval (Davison and Hinkley 1997, section 5.2) from a percentile one: `[2 value - high, 2 value - low]`,
    cut to what the score can be. For a score that resampling itself raises or lowers, as copies of a clip raise a PR-AUC."""
    low, high = (min(max(2 * value - end, lowest), highest) for end in interval)
    return [high, low]
