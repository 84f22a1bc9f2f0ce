"""Matched accuracy on held-out clips: clusters are matched to classes on one half of the groups, and scored on the other.

A matching that is scored on the clips it was chosen on is biased upwards: for 150 clips in eight classes that are independent of
the clusters, its accuracy is .24, and on new clips .13.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipelines.metrics.checks import numbered

N_SPLITS, N_SPLITS_OF_A_DRAW = 20, 3


def crossed_accuracy(
    labels: np.ndarray,
    clusters: np.ndarray,
    k: int,
    groups: np.ndarray | None,
    n_bootstrap: int,
    n_permutations: int,
    seed: int,
) -> dict | None:
    """labels, clusters: `(clips,)` numbers below k; groups: `(clips,)` of any values, None makes each clip its own.

    Returns `{"accuracy", "ci95", "chance", "n_groups"}`, or None where there are fewer than four groups. accuracy: the mean
    over 20 random halvings of the groups, in both directions, of Kuhn's matching (1955) on one half and the share of the
    other half's clips in their class's cluster: what to expect of new clips where half as many name the clusters. ci95: the
    accuracy and 1.96 deviations of its bootstrap over groups to each side, each resample halved anew between different
    groups; the clusters are held. Simulated (tests/evaluation/test_coverage.py), it holds that expectation 95 to 100 times in
    100. chance: the mean over permuted labels.
    """
    group = numbered(groups, len(labels))
    n_groups = int(group.max()) + 1
    if n_groups < 4:
        return None
    tables = np.zeros((n_groups, k, k))
    np.add.at(tables, (group, labels, clusters), 1)
    generator = np.random.default_rng(seed)
    value, draws = _mean(tables, N_SPLITS, generator), []
    for _ in range(n_bootstrap):
        times = np.bincount(generator.integers(0, n_groups, n_groups), minlength=n_groups)
        drawn = times > 0
        if drawn.sum() > 1:
            draws.append(_mean(tables[drawn] * times[drawn, None, None], N_SPLITS_OF_A_DRAW, generator))
    half, chance = 1.96 * float(np.std(draws)), []
    for _ in range(n_permutations):
        permuted = np.zeros_like(tables)
        np.add.at(permuted, (group, generator.permutation(labels), clusters), 1)
        chance.append(_mean(permuted, 1, generator))
    return {
        "accuracy": value,
        "ci95": [max(0.0, value - half), min(1.0, value + half)],
        "chance": float(np.mean(chance)),
        "n_groups": n_groups,
    }


def _mean(tables: np.ndarray, n_splits: int, generator: np.random.Generator) -> float:
    """tables: `(groups, classes, clusters)` counts."""
    whole, found = tables.sum(axis=0), 0.0
    for _ in range(n_splits):
        one = tables[generator.permutation(len(tables))[: len(tables) // 2]].sum(axis=0)
        found += _scored(one, whole - one) + _scored(whole - one, one)
    return float(found / n_splits / whole.sum())


def _scored(named_by: np.ndarray, scored: np.ndarray) -> float:
    """Clips of `scored` in the cluster of their class, as `named_by` names it; where it names none (a class or cluster without a
    clip), the mean over all ways to pair what is left: how clusters are numbered must not matter."""
    rows, columns = linear_sum_assignment(named_by, maximize=True)
    named = named_by[rows, columns] > 0
    rest = scored[np.ix_(rows[~named], columns[~named])]
    return scored[rows[named], columns[named]].sum() + (rest.sum() / len(rest) if len(rest) else 0.0)


def lead(record: dict) -> dict:
    """The `{"accuracy", "ci95", "chance"}` by which a record of `clustering.evaluate` is judged: the crossed one, or where there
    are too few groups for that, the matched one."""
    return record["crossed"] or {
        "accuracy": record["hungarian_accuracy"],
        "ci95": record["ci95"],
        "chance": record["chance"],
    }
