"""Hierarchical clustering of classes, by the distance of their mean embeddings."""

import numpy as np
from scipy.cluster.hierarchy import cophenet, leaves_list, linkage
from scipy.sparse import csr_array
from scipy.spatial.distance import pdist

from pipelines.metrics import checks


def dendrogram(
    points: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    n_bootstrap: int,
    n_permutations: int,
    seed: int,
    method: str = "average",
) -> dict:
    """The tree of `names` over `points` `(clips, d)` (standardised) with class numbers `labels`.

    method: scipy's linkage (average: UPGMA, Sokal and Michener 1958), on Euclidean distances of class means, leaves in the
    order in which neighbours are nearest (Bar-Joseph et al. 2001).

    Returns `{"n", "k", "names", "linkage": k-1 rows [child, child, height, classes] as scipy's `dendrogram` takes them,
    "leaves": class numbers from left to right, "support": for each row the share of resamples whose tree has the same set
    of classes below one node (Felsenstein 1985), "cophenetic", "cophenetic_chance"}`. cophenetic: the correlation of tree
    distances and distances (Sokal and Rohlf 1962), its chance the mean over permuted labels; both None where distances are
    not two different ones. It has no interval: resampling clips moves class means apart, and raises it.
    """
    points = checks.embedding(points)
    k = len(names)
    labels = checks.classes(labels, len(points), k)
    support = np.bincount(labels, minlength=k)
    if k < 2:
        raise ValueError("a tree needs at least two classes")
    if not support.all():
        raise ValueError(f"class {names[support.argmin()]!r} has no clip; leave it out of the names")
    values = points - points.mean(axis=0)

    def distances(members: np.ndarray, rows: np.ndarray) -> np.ndarray:
        weights = csr_array((1 / support[members], (members, rows)), shape=(k, len(values)))
        return pdist(weights @ values)

    everyone = np.arange(len(points))
    found = distances(labels, everyone)
    tree = linkage(found, method, optimal_ordering=True)
    value = _cophenetic(tree, found)
    defined = bool(np.isfinite(value))
    wanted, seen = _below(tree), np.zeros(k - 1)
    by_class = np.argsort(labels, kind="stable")
    starts, sizes, sorted_labels = (
        (np.cumsum(support) - support)[labels[by_class]],
        support[labels[by_class]],
        labels[by_class],
    )
    generator = np.random.default_rng(seed)

    for _ in range(n_bootstrap):
        rows = by_class[starts + generator.integers(0, sizes)]
        nodes = set(_below(linkage(distances(sorted_labels, rows), method)))
        seen += [node in nodes for node in wanted]
    chance = []
    for _ in range(n_permutations):
        drawn = distances(generator.permutation(labels), everyone)
        chance.append(_cophenetic(linkage(drawn, method), drawn))
    return {
        "n": len(points),
        "k": k,
        "names": list(names),
        "linkage": tree.tolist(),
        "leaves": leaves_list(tree).tolist(),
        "support": (seen / n_bootstrap).tolist(),
        "cophenetic": value if defined else None,
        "cophenetic_chance": float(np.nanmean(chance)) if defined else None,
    }


def _below(tree: np.ndarray) -> list[frozenset]:
    """The classes under each node of a linkage matrix."""
    below = [frozenset([leaf]) for leaf in range(len(tree) + 1)]
    for left, right in tree[:, :2].astype(int):
        below.append(below[left] | below[right])
    return below[len(tree) + 1 :]


def _cophenetic(tree: np.ndarray, distances: np.ndarray) -> float:
    if len(distances) < 2 or np.ptp(distances) <= 1e-9 * distances.max():
        return float("nan")
    return float(np.corrcoef(cophenet(tree), distances)[0, 1])
