"""Probes of a frozen embedding: a linear classifier and k nearest neighbours.

Both centre and scale by the training clips (`scaling.centre`), choose their one hyperparameter by grouped cross-validation within
the training clips, and keep all clips of a group on one side.
"""

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from pipelines.evaluation.folds import folds
from pipelines.evaluation.neighbours import search
from pipelines.evaluation.threads import one_thread
from pipelines.metrics import checks
from pipelines.metrics.intervals import bootstrap
from pipelines.metrics.scaling import centre

PENALTIES = (1.0, 0.1, 0.01, 0.001)  # of the mean loss, so that one value means the same for any number of clips
NEIGHBOURS = (1, 3, 5, 10, 20)
INNER_FOLDS = 3


def linear(train: np.ndarray, labels: np.ndarray, queries: np.ndarray, penalties: tuple, k: int) -> np.ndarray:
    """Classes of `queries` by multinomial logistic regression, `(penalties, clips)`; C = 1 / (penalty x training clips)."""
    if len(np.unique(labels)) == 1:
        return np.full((len(penalties), len(queries)), labels[0])
    model = LogisticRegression(max_iter=200, tol=1e-3, warm_start=True)
    predicted = []
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # separable classes: the weights grow, the classes stay
        for penalty in penalties:
            predicted.append(model.set_params(C=1 / (penalty * len(train))).fit(train, labels).predict(queries))
    return np.array(predicted)


def knn(train: np.ndarray, labels: np.ndarray, queries: np.ndarray, sizes: tuple, k: int) -> np.ndarray:
    """Classes of `queries` by vote of the nearest by cosine, `(sizes, clips)`; equal votes go to the nearer class."""
    with one_thread():
        rows, cosines = search(queries, train, min(max(sizes), len(train)))
    votes, cosines = np.zeros((len(queries), k)), cosines.astype(np.float64)
    predicted, clips = {}, np.arange(len(queries))
    for rank in range(rows.shape[1]):
        votes[clips, labels[rows[:, rank]]] += 1 + 1e-3 * cosines[:, rank]  # under half a vote in sum: breaks ties only
        predicted[rank + 1] = votes.argmax(axis=1)
    return np.array([predicted[min(size, rows.shape[1])] for size in sizes])


PROBES: dict[str, tuple[Callable, tuple]] = {"linear": (linear, PENALTIES), "knn": (knn, NEIGHBOURS)}


def choose(probe: Callable, settings: tuple, points, labels, groups, k: int, seed: int) -> int:
    """The place in `settings` with the best accuracy over grouped inner folds; the first of equals."""
    if len(np.unique(groups)) < 2:
        return 0
    inner = folds(labels, groups, INNER_FOLDS, seed)
    hits = np.zeros(len(settings))
    for fold in np.unique(inner):
        out = inner == fold
        scaled = centre(points, points[~out])
        hits += (probe(scaled[~out], labels[~out], scaled[out], settings, k) == labels[out]).sum(axis=1)
    return int(hits.argmax())


def evaluate(
    points: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    probe: str,
    n_bootstrap: int,
    n_permutations: int,
    seed: int,
    groups: np.ndarray | None = None,
    test: np.ndarray | None = None,
    n_folds: int = 5,
) -> tuple[dict, np.ndarray]:
    """Predict `labels` (class numbers into `names`) from `points` `(clips, d)` by a probe, a name of `PROBES`.

    test: `(clips,)` bool, the clips scored, the others train; None: grouped cross-validation, all clips are scored. groups:
    `(clips,)` of any values; None makes each clip its own. A group on both sides of `test` is an error: see `leaks`.

    Returns (record, predicted class `(clips,)`, -1 for clips not scored). The record: probe; split (`"test"` or `"grouped
    cross-validation"`); n, n_groups (scored), n_train (mean over folds), k; settings (chosen in each fold: the penalty, or
    the number of neighbours); accuracy and macro_f1 with accuracy_ci95 and macro_f1_ci95 (bootstrap over the scored
    groups, the predictions held); majority `{"accuracy", "macro_f1"}`: always the most frequent class of the training
    clips; chance, the same two: mean over permutations of the scored labels (with a split the exact null: the probe never
    saw them); trivial: the accuracy to beat, the larger of majority's and chance's; per_class: `{name: {"f1", "support"}}`.
    macro_f1 is over the classes that are scored or predicted.
    """
    points = checks.embedding(points)
    n, k = len(points), len(names)
    labels = checks.classes(labels, n, k)
    group = checks.numbered(groups, n)
    if probe not in PROBES:
        raise ValueError(f"no probe {probe!r}; use one of {', '.join(PROBES)}")
    if len(np.unique(labels)) < 2:
        raise ValueError("all clips are of one class; a probe needs at least two classes")
    side = folds(labels, group, n_folds, seed) if test is None else _sides(test, labels, group)
    function, settings = PROBES[probe]
    predicted, majority = np.full(n, -1), np.full(n, -1)
    chosen, sizes = [], []
    for fold in np.unique(side[side >= 0]):
        out = side == fold
        train = ~out
        best = choose(function, settings, points[train], labels[train], group[train], k, seed)
        scaled = centre(points, points[train])
        predicted[out] = function(scaled[train], labels[train], scaled[out], settings[best : best + 1], k)[0]
        majority[out] = np.bincount(labels[train]).argmax()
        chosen.append(settings[best])
        sizes.append(int(train.sum()))
    scored = side >= 0
    record = {
        "probe": probe,
        "split": "grouped cross-validation" if test is None else "test",
        "n_train": float(np.mean(sizes)),
        "settings": chosen,
        **_scores(labels[scored], predicted[scored], majority[scored], group[scored], names, n_bootstrap, seed),
    }
    generator = np.random.default_rng(seed)
    shuffles = (generator.permutation(labels[scored]) for _ in range(n_permutations))
    chance = np.array([_accuracy_f1(_table(shuffled, predicted[scored], k)) for shuffled in shuffles])
    record["chance"] = dict(zip(("accuracy", "macro_f1"), chance.mean(axis=0).tolist(), strict=True))
    record["trivial"] = max(record["majority"]["accuracy"], record["chance"]["accuracy"])
    return record, predicted


def _sides(test: np.ndarray, labels: np.ndarray, group: np.ndarray) -> np.ndarray:
    """0 for test clips, -1 for training clips, once it is sure that both can do their part."""
    test = np.asarray(test, dtype=bool)
    if test.shape != labels.shape or test.all() or not test.any():
        raise ValueError("test: one value per clip is needed, with training clips and test clips")
    both = np.intersect1d(group[test], group[~test])
    if len(both):
        raise ValueError(f"{len(both)} groups have clips on both sides; move or remove their clips first")
    if len(np.unique(labels[~test])) < 2:
        raise ValueError("all training clips are of one class; a probe needs at least two classes")
    return np.where(test, 0, -1)


def _table(labels: np.ndarray, predicted: np.ndarray, k: int, weights: np.ndarray | None = None) -> np.ndarray:
    """`(k, k)` counts: row the class, column the prediction."""
    return np.bincount(labels * k + predicted, weights, k * k).reshape(k, k)


def _f1(table: np.ndarray) -> np.ndarray:
    """F1 of each class; NaN for a class that is neither there nor predicted."""
    with np.errstate(invalid="ignore"):
        return 2 * np.diag(table) / (table.sum(axis=0) + table.sum(axis=1))


def _accuracy_f1(table: np.ndarray) -> tuple[float, float]:
    return float(np.trace(table) / table.sum()), float(np.nanmean(_f1(table)))


def _scores(labels, predicted, majority, group, names, n_bootstrap: int, seed: int) -> dict:
    """The part of the record that only needs what was predicted."""
    k, member = len(names), checks.numbered(group, len(group))
    n_groups = int(member.max()) + 1
    table = _table(labels, predicted, k)
    accuracy, macro_f1 = _accuracy_f1(table)

    def resampled(rows: np.ndarray) -> tuple[float, float]:
        times = np.bincount(rows, minlength=n_groups)[member]
        return _accuracy_f1(_table(labels, predicted, k, times))

    accuracy_ci95, macro_f1_ci95 = bootstrap(resampled, n_groups, n_bootstrap, seed)
    constant = _accuracy_f1(_table(labels, majority, k))
    f1, support = _f1(table), table.sum(axis=1)
    return {
        "n": len(labels),
        "n_groups": n_groups,
        "k": k,
        "accuracy": accuracy,
        "accuracy_ci95": accuracy_ci95,
        "macro_f1": macro_f1,
        "macro_f1_ci95": macro_f1_ci95,
        "majority": {"accuracy": constant[0], "macro_f1": constant[1]},
        "per_class": {
            name: {"f1": None if np.isnan(f1[row]) else float(f1[row]), "support": int(support[row])}
            for row, name in enumerate(names)
        },
    }
