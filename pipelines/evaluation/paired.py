"""Paired comparison of embeddings: differences of their matched accuracies on the same clips, for each pair."""

from itertools import combinations

import numpy as np
from scipy.stats import binom

from pipelines.metrics.checks import numbered
from pipelines.metrics.intervals import bootstrap


def compare(right: dict[str, np.ndarray], n_bootstrap: int, seed: int, groups: np.ndarray | None = None) -> dict:
    """Every pair of embeddings, compared on the clips they share.

    right: name -> `(clips,)` bool, was the clip's cluster matched to its class (`predicted == labels` of
    `clustering.evaluate`; the matchings are held). groups: `(clips,)` works or artists; given, whole groups are resampled
    and swapped, since their clips are alike.

    Returns `{"n", "n_groups", "accuracy": {name: float}, "pairs": [...]}`, a pair being `{"a", "b", "difference" (accuracy
    of a less that of b), "ci95" (bootstrap over clips or groups, the same resamples for all pairs), "only_a", "only_b"
    (clips that one alone has right), "p" (`sign_flip`), "p_holm" (over all pairs)}`. The baseline is 0, no difference.
    """
    if len(right) < 2:
        raise ValueError(f"at least two embeddings are needed for a comparison, not {len(right)}")
    names = list(right)
    values = [np.asarray(right[name], dtype=bool) for name in names]
    n = len(values[0])
    if not n or any(value.shape != (n,) for value in values):
        raise ValueError("every embedding needs one value for each of the same clips, and at least one clip is needed")
    group = numbered(groups, n)
    n_groups = int(group.max()) + 1
    sizes = np.bincount(group)
    correct = np.stack([np.bincount(group, value, n_groups) for value in values], axis=1)
    first, second = np.array(list(combinations(range(len(names)), 2))).T
    differences = (correct[:, first] - correct[:, second]).astype(np.int64)
    intervals = bootstrap(lambda rows: differences[rows].sum(axis=0) / sizes[rows].sum(), n_groups, n_bootstrap, seed)
    p = np.array([sign_flip(column) for column in differences.T])
    corrected = holm(p)
    return {
        "n": n,
        "n_groups": n_groups,
        "accuracy": {name: float(value.mean()) for name, value in zip(names, values, strict=True)},
        "pairs": [
            {
                "a": names[a],
                "b": names[b],
                "difference": float(differences[:, pair].sum() / n),
                "ci95": intervals[pair],
                "only_a": int((values[a] & ~values[b]).sum()),
                "only_b": int((values[b] & ~values[a]).sum()),
                "p": float(p[pair]),
                "p_holm": float(corrected[pair]),
            }
            for pair, (a, b) in enumerate(zip(first, second, strict=True))
        ],
    }


def sign_flip(differences: np.ndarray) -> float:
    """Two-sided p of the sum of integer `differences` `(groups,)`, were each as likely to have the other sign (Fisher 1935).

    Exact, no sampling: a p found by resampling could not be below 2 / resamples, which no Holm correction over many pairs
    leaves significant. With one clip a group it is McNemar's exact test. Right to a relative 1e-11 down to 1e-300: only what is
    not negative is added and multiplied. (A convolution by FFT is right to 1e-15 of the whole, and makes noise of a smaller p.)
    """
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    law = np.ones(1)  # law[i]: probability that the differences that are positive after the flips sum to i
    for size, count in zip(sizes, counts, strict=True):
        before, law = law, np.zeros(len(law) + size * count)
        for positive, probability in enumerate(binom.pmf(np.arange(count + 1), count, 0.5)):
            law[size * positive : size * positive + len(before)] += probability * before
    sums = 2 * np.arange(len(law)) - (len(law) - 1)
    return float(min(law[np.abs(sums) >= abs(differences.sum())].sum(), 1))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's (1979) step-down correction: the chance of one false finding or more among all of `p` stays below alpha."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1)
    return corrected
