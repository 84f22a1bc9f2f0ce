"""Do classes fall out as clusters? k-means, Hungarian matching, and the scores of the matched clusters."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from pipelines.evaluation.intervals import bootstrap


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
    """Cluster of each point. One thread: sums in a changing order would change the last bits, and with them ties."""
    with threadpool_limits(1):
        return KMeans(k, n_init=n_init, random_state=seed).fit_predict(points)


def evaluate(
    points: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    n_init: int,
    n_bootstrap: int,
    n_permutations: int,
    seed: int,
) -> tuple[dict, np.ndarray, np.ndarray]:
    """Cluster `points` `(clips, d)` into as many clusters as there are classes and score them against `labels`.

    labels: class numbers into `names`. Returns (record, class predicted for each clip after matching, confusion `(k, k)`:
    row the true class, column the matched one). The record:

    n, k; hungarian_accuracy with ci95 (bootstrap over clips, the matching held); chance: its mean over permuted labels,
    matched anew each time; macro_f1 and per_class after matching; nmi, ari and v_measure of the raw clusters;
    silhouette of the clusters (Euclidean), None where there is only one.
    """
    k, n = len(names), len(labels)
    clusters = kmeans(points, k, n_init, seed)
    predicted = match(labels, clusters, k)[clusters]
    right = predicted == labels
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
        "ci95": bootstrap(lambda rows: right[rows].mean(), n, n_bootstrap, seed),
        "chance": float(np.mean(chance)),
        "macro_f1": float(f1.mean()),
        "nmi": float(metrics.normalized_mutual_info_score(labels, clusters)),
        "ari": float(metrics.adjusted_rand_score(labels, clusters)),
        "v_measure": float(metrics.v_measure_score(labels, clusters)),
        "silhouette": float(metrics.silhouette_score(points, clusters)) if 1 < found < n else None,
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
