"""Which of many windows continues A: by each A alone, and by all at once, where each window continues one A.

The second is transductive: an answer depends on the other test windows, of which it is known that each is the continuation of
exactly one. A new pair cannot be answered so. In a round every group (work) gives one A and its continuation.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipelines.tasks.continuation.fit.pairs import Pairs

ROUNDS = 8


def hits(pairs: Pairs, score: Callable, seed: int) -> dict[str, np.ndarray]:
    """`retrieved` and `matched`, `(n,)` each: of each pair that is a continuation, in which share of the rounds with its A that B
    was found, by A alone and by one-to-one matching; NaN where A was in no round, and of other pairs. `drawn`: `(n,)`, the
    share that random answers find."""
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {name: np.zeros(len(pairs)) for name in ("retrieved", "matched", "drawn")}
    times = np.zeros(len(pairs))
    for rows in rounds(pairs, rng):
        matrix = scores(pairs, rows, score)
        for name, values in zip(
            found, (alone(matrix), matched(matrix, rng), np.full(len(rows), 1 / len(rows))), strict=True
        ):
            found[name][rows] += values
        times[rows] += 1
    return {
        name: np.divide(sums, times, out=np.full(len(pairs), np.nan), where=times > 0) for name, sums in found.items()
    }


def rounds(pairs: Pairs, rng: np.random.Generator) -> list[np.ndarray]:
    """Of each round the rows of `pairs`: of every group one continuation, another one each time while it has others."""
    true = np.flatnonzero(pairs.true)
    group = pairs.windows.group[pairs.a[true]]
    orders = [rng.permutation(true[group == name]) for name in np.unique(group)]
    return [np.array([order[number % len(order)] for order in orders]) for number in range(ROUNDS)]


def scores(pairs: Pairs, rows: np.ndarray, score: Callable) -> np.ndarray:
    """`(m, m)`: of each A of the rows with each B of the rows."""
    a, b = (pairs.windows.grids[of[rows]] for of in (pairs.a, pairs.b))
    first, second = (each.ravel() for each in np.indices((len(rows), len(rows))))
    return score(a[first], b[second]).reshape(len(rows), len(rows))


def alone(matrix: np.ndarray) -> np.ndarray:
    """`(m,)`: 1 where A's own B has the highest score of its row, a share where several have it, else 0."""
    best = matrix == matrix.max(axis=1, keepdims=True)
    return np.diag(best) / best.sum(axis=1)


def matched(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`(m,)`: 1 where the one-to-one matching with the highest sum of scores (Kuhn 1955) gives A its own B, else 0."""
    columns = rng.permutation(
        len(matrix)
    )  # of equal scores the first is taken: in their own order that is the right one
    rows, found = linear_sum_assignment(matrix[:, columns], maximize=True)
    return (columns[found] == rows).astype(float)
