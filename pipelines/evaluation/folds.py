"""Grouped cross-validation: all clips of a group (a work, an artist) are in the same fold."""

import numpy as np

from pipelines.metrics.checks import numbered


def folds(labels: np.ndarray, groups: np.ndarray | None, n_folds: int, seed: int) -> np.ndarray:
    """The fold of each clip, `(clips,)` numbers below `n_folds` (below the number of groups where there are fewer).

    Groups are dealt out in turn, shuffled, sorted by their most frequent class: folds differ by at most one group of each
    class. ValueError for a single group. A class of one group is unknown to the model when it is scored, as it must be.
    """
    labels = np.asarray(labels)
    group = numbered(groups, len(labels))
    n_groups = int(group.max()) + 1
    if n_groups < 2:
        raise ValueError("all clips are of one group; cross-validation needs at least two groups")
    if n_folds < 2:
        raise ValueError(f"n_folds must be at least 2, not {n_folds}")
    counts = np.zeros((n_groups, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(counts, (group, labels), 1)
    shuffled = np.random.default_rng(seed).permutation(n_groups)
    order = shuffled[np.argsort(counts.argmax(axis=1)[shuffled], kind="stable")]
    fold = np.empty(n_groups, dtype=np.int64)
    fold[order] = np.arange(n_groups) % min(n_folds, n_groups)
    return fold[group]
