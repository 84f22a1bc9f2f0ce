"""Cluster an embedding, match clusters to classes by the Hungarian algorithm, and score the match.

A clusterer is `(points (clips, d), k, n_init, seed) -> (clips,)` numbers below k. With fewer than k distinct points it finds
fewer clusters. `CLUSTERERS` has the three of the study.
"""

import hashlib
import warnings

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from pipelines.evaluation.contrast import contrast
from pipelines.evaluation.crossed import crossed_accuracy
from pipelines.evaluation.threads import one_thread
from pipelines.metrics.checks import numbered
from pipelines.metrics.intervals import bootstrap

TEN, AGREEING, SAME = 10, 3, 1e-6
N_KEPT = 64
_kept: dict[tuple, np.ndarray] = {}
"""Of `kmeans`: a hash of the points, and the other arguments -> clusters."""


def contingency(labels: np.ndarray, clusters: np.ndarray, k: int) -> np.ndarray:
    """`(k, k)` counts: row a class, column a cluster; both numbered from 0."""
    table = np.zeros((k, k), dtype=np.int64)
    np.add.at(table, (labels, clusters), 1)
    return table


def match(labels: np.ndarray, clusters: np.ndarray, k: int) -> np.ndarray:
    """The class of each cluster, `(k,)`: the one-to-one matching with the most clips on it (Kuhn 1955)."""
    rows, columns = linear_sum_assignment(contingency(labels, clusters, k), maximize=True)
    matched = np.empty(k, dtype=np.int64)
    matched[columns] = rows
    return matched


def kmeans(points: np.ndarray, k: int, n_init: int, seed: int) -> np.ndarray:
    """Cluster of each point, by the best of at most `n_init` starts: of the same starts as scikit-learn's, ten at a time, until
    `AGREEING` of the tens have ended at the same lowest sum of squares. Easy points need 30 starts, noise all of them.

    One thread: sums in a changing order would change the last bits, and with them ties. The last results are kept, because a
    mixture begins from the clusters of the same points.
    """
    key = (hashlib.sha256(np.ascontiguousarray(points)).digest(), points.shape, str(points.dtype), k, n_init, seed)
    if key in _kept:
        return _kept[key].copy()
    generator = np.random.RandomState(seed)  # handed on from ten to ten: the starts that one call would draw
    best, labels, agreeing = np.inf, None, 0
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than k: said above
        for first in range(0, n_init, TEN):
            found = KMeans(k, n_init=min(TEN, n_init - first), random_state=generator).fit(points)
            if labels is None or found.inertia_ < best * (1 - SAME):
                best, labels, agreeing = found.inertia_, found.labels_, 1
            elif found.inertia_ <= best * (1 + SAME):
                agreeing += 1
            if agreeing == AGREEING:
                break
    while len(_kept) >= N_KEPT:
        _kept.pop(next(iter(_kept)))
    _kept[key] = labels.copy()
    return labels


def agglomerative(points: np.ndarray, k: int, n_init: int = 1, seed: int = 0) -> np.ndarray:
    """Ward's (1963) tree of Euclidean distances, cut into k; nothing in it is random, so `n_init` and `seed` are unused.

    The distances of 10,000 clips are 400 MB. scikit-learn's takes three times as long, since it measures them without BLAS;
    here merges of equal height at the cut are all made, so that copies never are apart.
    """
    n = len(points)
    if n < k:
        raise ValueError(f"{n} clips are too few for {k} clusters; leave the target out")
    distances, filled = np.empty(n * (n - 1) // 2), 0
    with one_thread():
        rows = (row for chunk in metrics.pairwise_distances_chunked(points, working_memory=64) for row in chunk)
        for place, row in enumerate(rows):
            distances[filled : filled + n - 1 - place] = row[place + 1 :]
            filled += n - 1 - place
        return fcluster(linkage(distances, "ward"), k, "maxclust") - 1 if n > 1 else np.zeros(1, dtype=np.int64)


def gaussian_mixture(points: np.ndarray, k: int, n_init: int, seed: int) -> np.ndarray:
    """The likeliest component of a mixture with diagonal covariances, by EM from the clusters of `kmeans`.

    1% of the mean variance is added to each variance (`reg_covar`), so that a component of one clip, or fewer clips than
    dimensions, leaves a density and not a division by zero.
    """
    numbers, start = np.unique(kmeans(points, k, n_init, seed), return_inverse=True)
    points = np.asarray(points, dtype=np.float64)
    counts = np.bincount(start)
    means = np.stack([points[start == number].mean(axis=0) for number in range(len(numbers))])
    floor = max(0.01 * points.var(axis=0).mean(), 1e-9)
    spread = np.stack([points[start == number].var(axis=0) for number in range(len(numbers))]) + floor
    mixture = GaussianMixture(
        len(numbers),
        covariance_type="diag",
        reg_covar=floor,
        max_iter=200,
        random_state=seed,
        weights_init=counts / counts.sum(),
        means_init=means,
        precisions_init=1 / spread,
    )
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the clusters after 200 steps are clusters too
        return mixture.fit_predict(points)


CLUSTERERS = {"kmeans": kmeans, "agglomerative": agglomerative, "gaussian_mixture": gaussian_mixture}


def evaluate(
    points: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    n_init: int,
    n_bootstrap: int,
    n_permutations: int,
    seed: int,
    clusterer: str = "kmeans",
    n_repeats: int = 0,
    groups: np.ndarray | None = None,
) -> tuple[dict, np.ndarray, np.ndarray]:
    """Cluster `points` `(clips, d)` into as many clusters as there are classes and score them against `labels`.

    labels: class numbers into `names`. clusterer: a name of `CLUSTERERS`. groups: `(clips,)` works or artists, of any
    values; None makes each clip its own. Returns (record, class predicted for each clip after matching, confusion `(k, k)`:
    row the true class, column the matched one). The record:

    n, k; crossed: `crossed.crossed_accuracy`, the accuracy on clips held out of the matching; hungarian_accuracy with ci95
    (bootstrap over groups, with fixed clusters and matching: it is about this procedure on as many clips, not about new ones);
    chance: its mean over permuted labels, with a new matching each time; macro_f1 and per_class after matching; nmi, ari and
    v_measure of the raw clusters; silhouette of the clusters (Euclidean), None where there is only one; contrast:
    `contrast.contrast` of the points; repeats: `{"n", "lowest", "highest"}`, the matched accuracies of this clustering and
    `n_repeats` with other seeds (None for 0): the spread caused by random initialisation.
    """
    k, n = len(names), len(labels)
    if clusterer not in CLUSTERERS:
        raise ValueError(f"no clusterer {clusterer!r}; use one of {', '.join(CLUSTERERS)}")
    clusters = CLUSTERERS[clusterer](points, k, n_init, seed)
    predicted = match(labels, clusters, k)[clusters]
    right = predicted == labels
    group = numbered(groups, n)
    hits, sizes = np.bincount(group, right), np.bincount(group)
    again = [right.mean()]
    for other in range(seed + 1, seed + 1 + n_repeats):
        clusters_then = CLUSTERERS[clusterer](points, k, n_init, other)
        again.append((match(labels, clusters_then, k)[clusters_then] == labels).mean())
    generator = np.random.default_rng(seed)
    chance = []
    for _ in range(n_permutations):
        shuffled = generator.permutation(labels)
        table = contingency(shuffled, clusters, k)
        chance.append(table[linear_sum_assignment(table, maximize=True)].sum() / n)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(k), zero_division=0
    )
    found = len(np.unique(clusters))
    record = {
        "n": n,
        "k": k,
        "hungarian_accuracy": float(right.mean()),
        "ci95": bootstrap(lambda rows: hits[rows].sum() / sizes[rows].sum(), len(sizes), n_bootstrap, seed),
        "crossed": crossed_accuracy(labels, clusters, k, group, n_bootstrap, n_permutations, seed),
        "chance": float(np.mean(chance)),
        "macro_f1": float(f1.mean()),
        "nmi": float(metrics.normalized_mutual_info_score(labels, clusters)),
        "ari": float(metrics.adjusted_rand_score(labels, clusters)),
        "v_measure": float(metrics.v_measure_score(labels, clusters)),
        "silhouette": float(metrics.silhouette_score(points, clusters)) if 1 < found < n else None,
        "contrast": contrast(points, seed),
        "repeats": {"n": n_repeats, "lowest": float(min(again)), "highest": float(max(again))} if n_repeats else None,
        "per_class": {
            name: {
                "precision": float(precision[row]),
                "recall": float(recall[row]),
                "f1": float(f1[row]),
                "support": int(support[row]),
            }
            for row, name in enumerate(names)
        },
    }
    return record, predicted, contingency(labels, predicted, k)
