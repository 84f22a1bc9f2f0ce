"""Out-of-distribution scores of one dataset in another's embedding: nearest classes, detection scores, and own clusters.

Everything is fitted on `reference`: clips of the first dataset that are not scored and share no work with `held_out`.
"""

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.covariance import LedoitWolf

from pipelines.evaluation.clustering import kmeans
from pipelines.evaluation.neighbours import search
from pipelines.metrics import checks
from pipelines.metrics.intervals import FEWEST, above, bootstrap, by_group
from pipelines.metrics.tagging import roc_auc


def nearest_classes(
    outside: np.ndarray,
    reference: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    k: int,
    n_bootstrap: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> tuple[dict, np.ndarray]:
    """The class of each clip of `outside` `(m, d)` by vote of its `k` nearest clips of `reference` `(n, d)` by cosine.

    labels: class numbers of `reference`. groups: `(m,)` works or artists of `outside`; None makes each clip its own. Returns
    (record, class of each clip `(m,)`). The record: `{"n", "n_reference", "k", "classes": {name: {"share", "ci95" (bootstrap
    over groups), "baseline" (the class's share of `reference`)}}}`.
    """
    outside, reference = checks.embedding(outside, "outside"), checks.embedding(reference, "reference")
    labels = checks.classes(labels, len(reference), len(names))
    rows, cosines = search(outside, reference, min(k, len(reference)))
    votes = np.zeros((len(outside), len(names)))  # ties go to the nearer: too little for float32
    np.add.at(votes, (np.arange(len(outside))[:, None], labels[rows]), 1 + 1e-6 * cosines.astype(np.float64))
    voted = votes.argmax(axis=1)
    drawn = by_group(
        lambda rows: np.bincount(voted[rows], minlength=len(names)) / len(rows), checks.numbered(groups, len(voted))
    )
    intervals = bootstrap(*drawn, n_bootstrap, seed)
    shares = np.bincount(voted, minlength=len(names)) / len(voted)
    baseline = np.bincount(labels, minlength=len(names)) / len(labels)
    record = {
        "n": len(outside),
        "n_reference": len(reference),
        "k": k,
        "classes": {
            name: {"share": float(shares[row]), "ci95": intervals[row], "baseline": float(baseline[row])}
            for row, name in enumerate(names)
        },
    }
    return record, voted


def mahalanobis(points: np.ndarray, reference: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Distance of `points` `(m, d)` to each class mean of `reference`, `(m, k)`; infinite for a class without clips.

    One covariance is shared by the classes (Lee et al. 2018), shrunk as Ledoit and Wolf (2004), so that it is invertible for
    fewer clips than dimensions. ValueError where no clip differs from its class's mean.
    """
    points, reference = checks.embedding(points), checks.embedding(reference, "reference")
    labels = checks.classes(labels, len(reference), k)
    support = np.bincount(labels, minlength=k)
    means = np.zeros((k, reference.shape[1]))
    np.add.at(means, labels, reference)
    means /= np.maximum(support, 1)[:, None]
    residual = reference - means[labels]
    if np.abs(residual).max() <= 1e-9 * max(np.abs(reference).max(), 1e-300):
        raise ValueError(
            "no clip differs from its class's mean, so distances have no unit; more clips per class are needed"
        )
    factor = np.linalg.cholesky(LedoitWolf(assume_centered=True).fit(residual).covariance_)
    white = solve_triangular(factor, points.T, lower=True).T
    centres = solve_triangular(factor, means.T, lower=True).T
    squares = (white**2).sum(axis=1)[:, None] - 2 * white @ centres.T + (centres**2).sum(axis=1)
    return np.where(support > 0, np.sqrt(np.maximum(squares, 0)), np.inf)


def knn_distance(points: np.ndarray, reference: np.ndarray, k: int) -> np.ndarray:
    """Distance of `points` `(m, d)` to their k-th nearest clip of `reference`, both scaled to length 1, `(m,)` in 0..2
    (Sun et al. 2022)."""
    cosines = search(points, reference, min(k, len(reference)))[1][:, -1].astype(np.float64)
    return np.sqrt(np.maximum(2 - 2 * cosines, 0))


def detection(
    held_out: np.ndarray,
    outside: np.ndarray,
    reference: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    k: int,
    n_bootstrap: int,
    seed: int,
    groups: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[dict, dict]:
    """Are clips of `outside` separated from `held_out` clips of the first dataset by their distance from `reference`?

    Returns (record, scores). The record: `{"n_held_out", "n_outside", "n_reference", "k", "baseline": 0.5, "mahalanobis":
    {"auroc", "ci95"}, "knn": {"auroc", "ci95"}, "classes": {name: {"held_out", "outside"}}}`; auroc: the chance that a clip from
    outside scores higher than a held-out one; ci95: bootstrap over the groups of both (groups: works or artists of held_out and
    of outside; None makes each clip its own); classes: median Mahalanobis distance to each class of the clips of each side, None
    for a class without reference clips. scores: `{"mahalanobis": (held_out, outside), "knn": (held_out, outside)}`, arrays, high
    where a clip is foreign; mahalanobis is the distance to the nearest class.
    """
    checks.embedding(held_out, "held_out")
    checks.embedding(outside, "outside")
    points, n_in = np.concatenate([held_out, outside]), len(held_out)
    distances = mahalanobis(points, reference, labels, len(names))
    values = np.stack([distances.min(axis=1), knn_distance(points, reference, k)], axis=1)
    foreign = np.arange(len(points)) >= n_in
    aurocs = roc_auc(np.repeat(foreign[:, None], 2, axis=1).astype(float), values)
    intervals = _auroc_intervals(foreign, values, _both(groups, n_in, len(outside)), n_bootstrap, seed)
    medians = [np.median(part, axis=0) for part in (distances[:n_in], distances[n_in:])]
    methods = ("mahalanobis", "knn")
    record = {
        "n_held_out": n_in,
        "n_outside": len(outside),
        "n_reference": len(reference),
        "k": k,
        "baseline": 0.5,
        **{name: {"auroc": float(aurocs[i]), "ci95": intervals[i]} for i, name in enumerate(methods)},
        "classes": {
            name: {
                side: float(median[row]) if np.isfinite(median[row]) else None
                for side, median in zip(("held_out", "outside"), medians, strict=True)
            }
            for row, name in enumerate(names)
        },
    }
    return record, {name: (values[:n_in, i], values[n_in:, i]) for i, name in enumerate(methods)}


def _both(groups: tuple[np.ndarray, np.ndarray] | None, n_inside: int, n_outside: int) -> np.ndarray:
    """Numbers `(n_inside + n_outside,)` of the groups of two sides; a name on both sides is two groups."""
    inside, outside = groups or (None, None)
    numbers = checks.numbered(inside, n_inside)
    return np.concatenate([numbers, checks.numbered(outside, n_outside) + numbers.max() + 1])


def _auroc_intervals(
    foreign: np.ndarray, values: np.ndarray, group: np.ndarray, n_bootstrap: int, seed: int
) -> list[list[float] | None]:
    """Percentile intervals of the AUROC of each column of `values` `(clips, methods)`, over resamples of the groups `group`
    `(clips,)`: what `intervals.bootstrap` of `tagging.roc_auc` gives, of all resamples at once by how often each clip is drawn.
    None for fewer than `FEWEST` groups of either kind."""
    if min(len(np.unique(group[foreign])), len(np.unique(group[~foreign]))) < FEWEST:
        return [None] * values.shape[1]
    n, generator = int(group.max()) + 1, np.random.default_rng(seed)
    times = np.array(
        [np.bincount(generator.integers(0, n, n), minlength=n)[group] for _ in range(n_bootstrap)], dtype=np.float64
    )
    found = []
    for column in values.T:
        order = np.argsort(column, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], np.diff(column[order]) > 0]))  # clips of equal value count half
        unknown, known = (np.add.reduceat((times * mask)[:, order], starts, axis=1) for mask in (foreign, ~foreign))
        below = np.cumsum(known, axis=1) - known / 2
        with np.errstate(invalid="ignore"):
            scores = (unknown * below).sum(axis=1) / (unknown.sum(axis=1) * known.sum(axis=1))
        found.append(np.nanpercentile(scores, [2.5, 97.5]).tolist())
    return found


def own_cluster(
    inside: np.ndarray,
    outside: np.ndarray,
    k: int,
    n_init: int,
    n_bootstrap: int,
    n_permutations: int,
    seed: int,
    groups: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[dict, np.ndarray]:
    """Does `outside` `(m, d)` make a cluster of its own among `inside` `(n, d)`? k-means with k + 1 clusters on both.

    k: the classes of `inside`. The best cluster is the one with the highest F1 of share (of `outside` in it) and purity (of it
    from `outside`). Returns (record, clusters `(n + m,)`). The record: `{"n_inside", "n_outside", "k": k + 1, "cluster",
    "share", "share_ci95", "purity", "purity_ci95", "f1", "f1_ci95", "chance": {"share", "purity", "f1"}, "p", "own"}`. ci95:
    bootstrap over groups (of inside and of outside), the clusters held; chance: means of the best cluster's values over permuted
    membership, the best chosen anew; p: how often its F1 is as high (Phipson and Smyth 2010); own: both share and purity above
    one half and above chance, by the lower ends of their intervals. A dataset of several far parts has several clusters and is
    not `own`.
    """
    points = np.concatenate([checks.embedding(inside, "inside"), checks.embedding(outside, "outside")])
    if len(points) < k + 1:
        raise ValueError(f"{len(points)} clips are too few for {k + 1} clusters; more clips are needed")
    clusters = kmeans(points, k + 1, n_init, seed)
    foreign = np.arange(len(points)) >= len(inside)
    cluster, *found = _best(clusters, foreign, k + 1)

    def held(rows: np.ndarray) -> tuple:
        return _of_cluster(clusters[rows] == cluster, foreign[rows])

    intervals = bootstrap(*by_group(held, _both(groups, len(inside), len(outside))), n_bootstrap, seed)
    generator = np.random.default_rng(seed)
    shuffled = np.array([_best(clusters, generator.permutation(foreign), k + 1)[1:] for _ in range(n_permutations)])
    chance = shuffled.mean(axis=0)
    record = {"n_inside": len(inside), "n_outside": len(outside), "k": k + 1, "cluster": cluster}
    for i, name in enumerate(("share", "purity", "f1")):
        record |= {name: found[i], f"{name}_ci95": intervals[i]}
    record["chance"] = dict(zip(("share", "purity", "f1"), chance.tolist(), strict=True))
    record["p"] = float((1 + (shuffled[:, 2] >= found[2]).sum()) / (1 + n_permutations))
    record["own"] = all(above(intervals[i], max(0.5, chance[i])) for i in range(2))
    return record, clusters


def _of_cluster(members: np.ndarray, foreign: np.ndarray) -> tuple[float, float, float]:
    """Share, purity and F1 of one cluster; NaN for what a resample has no clip for."""
    both, inside, outside = (members & foreign).sum(), members.sum(), foreign.sum()
    share = both / outside if outside else np.nan
    purity = both / inside if inside else np.nan
    return share, purity, 2 * both / (inside + outside) if inside + outside else np.nan


def _best(clusters: np.ndarray, foreign: np.ndarray, k: int) -> tuple[int, float, float, float]:
    """The cluster with the highest F1 and its share, purity and F1."""
    sizes, both = np.bincount(clusters, minlength=k), np.bincount(clusters[foreign], minlength=k)
    f1 = 2 * both / (sizes + foreign.sum())
    best = int(f1.argmax())
    return best, float(both[best] / foreign.sum()), float(both[best] / sizes[best]), float(f1[best])
