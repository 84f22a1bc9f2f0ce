"""Nearest neighbours by cosine similarity: for players, for k-NN votes, and to find copies."""

import numpy as np

from pipelines.metrics import checks
from pipelines.metrics.intervals import bootstrap

BLOCK = 1024  # queries at once: 1024 x 10,000 cosines are 40 MB


def unit(points: np.ndarray) -> np.ndarray:
    """`points` `(clips, d)` scaled to length 1, float32; a zero vector stays zero, with cosine 0 to everything."""
    points = checks.embedding(points)
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return (points / np.where(length > 0, length, 1)).astype(np.float32)


def search(
    queries: np.ndarray,
    base: np.ndarray,
    k: int,
    query_groups: np.ndarray | None = None,
    base_groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows of `base` `(m, d)` with the highest cosine to each of `queries` `(n, d)`, best first; exact search.

    query_groups `(n,)`, base_groups `(m,)`: numbers; a row of the query's own group is never found. Returns (rows `(n, k)`
    int64, cosines `(n, k)` float32, within 1e-6); -1 and NaN where fewer than k rows may be found.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    queries, base = unit(queries), unit(base)
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    cosines = np.full((len(queries), k), np.nan, dtype=np.float32)
    width = min(k, len(base))
    for start in range(0, len(queries), BLOCK):
        block = slice(start, start + BLOCK)
        found = np.clip(queries[block] @ base.T, -1, 1)
        if query_groups is not None:
            found[np.asarray(query_groups)[block, None] == np.asarray(base_groups)[None]] = -np.inf
        best = np.argpartition(-found, width - 1, axis=1)[:, :width]
        value = np.take_along_axis(found, best, axis=1)
        order = np.lexsort((best, -value), axis=1)
        best, value = np.take_along_axis(best, order, axis=1), np.take_along_axis(value, order, axis=1)
        allowed = np.isfinite(value)
        rows[block, :width] = np.where(allowed, best, -1)
        cosines[block, :width] = np.where(allowed, value, np.nan)
    return rows, cosines


def nearest(points: np.ndarray, k: int, groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """For each clip of `points` `(clips, d)` the `k` nearest other clips, none of its own group `(clips,)` (any values).

    Returns what `search` does. Another clip of the same work would be near for a reason that says nothing about style.
    """
    group = checks.numbered(groups, len(points))
    return search(points, points, k, group, group)


def agreement(
    points: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    k: int,
    n_bootstrap: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> dict:
    """How often do the nearest clips of other groups share the class? Precision at k, with what a random list would have.

    labels: class numbers into `names`. Returns `{"n", "k", "precision", "ci95", "chance", "per_class": {name: float or
    None}}`. n: clips with a neighbour; ci95: bootstrap over groups; chance: the share of the same class among all clips of
    other groups; per_class: None for a class without such a clip.
    """
    points = checks.embedding(points)
    labels = checks.classes(labels, len(points), len(names))
    group = checks.numbered(groups, len(points))
    rows, _ = search(points, points, k, group, group)
    found = rows >= 0
    usable = found.any(axis=1)
    if not usable.any():
        raise ValueError("no clip has a neighbour of another group; at least two groups are needed")
    same = ((labels[rows] == labels[:, None]) & found).sum(axis=1)[usable] / found.sum(axis=1)[usable]
    kinds, member = labels[usable], checks.numbered(group[usable], usable.sum())
    table = np.zeros((group.max() + 1, len(names)))
    np.add.at(table, (group, labels), 1)
    alike = (table.sum(axis=0)[labels] - table[group, labels])[usable]
    others = (len(points) - table.sum(axis=1)[group])[usable]
    totals, sizes = np.bincount(member, same), np.bincount(member)
    return {
        "n": int(usable.sum()),
        "k": k,
        "precision": float(same.mean()),
        "ci95": bootstrap(lambda drawn: totals[drawn].sum() / sizes[drawn].sum(), len(sizes), n_bootstrap, seed),
        "chance": float((alike / others).mean()),
        "per_class": {
            name: float(same[kinds == row].mean()) if (kinds == row).any() else None for row, name in enumerate(names)
        },
    }
