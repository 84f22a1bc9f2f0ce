"""Paired differences of scores between original and degraded versions of the same clips.

Both sides are resampled together, in whole groups (works, artists), because clips of a group are alike. Clusters, matchings,
probes and embeddings are kept fixed.
"""

from collections.abc import Callable

import numpy as np

from pipelines.evaluation import probes
from pipelines.metrics import tagging
from pipelines.metrics.checks import embedding, numbered
from pipelines.metrics.intervals import bootstrap, by_group


def compare(score: Callable, names: list[str], groups: np.ndarray | None, n: int, n_bootstrap: int, seed: int) -> dict:
    """Scores of the same `n` clips in several versions, the first of `names` being the clips as they were.

    score: row numbers -> `(versions,)`, in the order of `names`. groups: `(n,)` of any values; None makes each clip its own.
    Returns {version: {"n", "n_groups", "score", "ci95", "difference" (from the first), "difference_ci95"}}; the first
    version has no difference.
    """

    def with_differences(rows: np.ndarray) -> np.ndarray:
        found = np.asarray(score(rows), dtype=np.float64)
        return np.concatenate([found, found[1:] - found[0]])

    resampled, n_groups = by_group(with_differences, numbered(groups, n))
    found = np.asarray(score(np.arange(n)), dtype=np.float64)
    intervals = bootstrap(resampled, n_groups, n_bootstrap, seed)
    records = {}
    for place, name in enumerate(names):
        records[name] = {"n": n, "n_groups": n_groups, "score": float(found[place]), "ci95": intervals[place]}
        if place:
            records[name]["difference"] = float(found[place] - found[0])
            records[name]["difference_ci95"] = intervals[len(names) + place - 1]
    return records


def accuracy(right: dict[str, np.ndarray], groups: np.ndarray | None, n_bootstrap: int, seed: int) -> dict:
    """`compare` of shares. right: version -> `(n,)` bool, was the clip put into its class?"""
    values = np.stack(list(right.values()), axis=1).astype(np.float64)
    return compare(lambda rows: values[rows].mean(axis=0), list(right), groups, len(values), n_bootstrap, seed)


def roc_auc(truth: np.ndarray, scores: dict[str, np.ndarray], groups: np.ndarray | None, n_bootstrap: int, seed: int):
    """`compare` of macro ROC-AUC over the tags with both classes. truth: `(n, tags)` of 0 and 1; scores: version -> `(n, tags)`.

    ValueError where no tag has both classes.
    """
    names, (n, n_tags) = list(scores), truth.shape
    if not ((truth.sum(axis=0) > 0) & (truth.sum(axis=0) < n)).any():
        raise ValueError("no tag is present in some of these clips and absent in others")
    every, repeated = np.concatenate(list(scores.values()), axis=1), np.tile(truth, len(names))

    def score(rows: np.ndarray) -> np.ndarray:
        # a draw of few clips may leave no tag with both classes: NaN, which the bootstrap leaves out
        found = tagging.roc_auc(repeated[rows], every[rows]).reshape(len(names), n_tags)
        usable = ~np.isnan(found[0])
        return found[:, usable].mean(axis=1) if usable.any() else np.full(len(names), np.nan)

    return compare(score, names, groups, n, n_bootstrap, seed)


def cosine(points: dict[str, np.ndarray], groups: np.ndarray | None, n_bootstrap: int, seed: int) -> dict:
    """How far embeddings moved: the median cosine between a clip's embedding and the same clip's in the first version.

    points: version -> `(n, d)`, standardised alike. Returns {version: {"n", "n_groups", "score", "ci95"}} of all but the first,
    and under "others" the median cosine between different clips of the first version (of other groups where there are any):
    what would be left if nothing of a clip were recognised.
    """
    (first, clean), *others = points.items()
    clean = embedding(clean, first)
    n = len(clean)
    if n < 2:
        raise ValueError("at least two clips are needed for the similarity of different clips")
    group = numbered(groups, n)
    order = np.random.default_rng(seed).permutation(n)
    shifts = range(1, min(n, 11))
    one, other = np.tile(order, len(shifts)), np.concatenate([np.roll(order, shift) for shift in shifts])
    apart = group[one] != group[other]
    if apart.any():
        one, other = one[apart], other[apart]
    near = np.stack([_cosine(clean, embedding(values, name)) for name, values in others], axis=1)
    records = compare(
        lambda rows: np.median(near[rows], axis=0), [name for name, _ in others], groups, n, n_bootstrap, seed
    )
    kept = {name: {k: v for k, v in record.items() if "difference" not in k} for name, record in records.items()}
    return kept | {"others": float(np.median(_cosine(clean[one], clean[other])))}


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.where(lengths > 0, lengths, np.inf)


def ask(
    points: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    side: np.ndarray,
    asked: np.ndarray,
    versions: dict[str, np.ndarray],
    names: list[str],
    probe: str,
    seed: int,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A probe taught on clips as they are and asked about clips that were changed.

    points `(clips, d)`, labels (class numbers into `names`), groups: of all clips. side: `(clips,)` the fold in which a clip is
    asked about and not learnt from; -1: it is always learnt from. asked: rows of `points` that are asked about; versions:
    version -> `(len(asked), d)`, their embeddings. Returns (version -> class predicted `(len(asked),)`, the most frequent class
    of the clips learnt from `(len(asked),)`).

    The probe and its one setting are what `probes.evaluate` would choose and learn from the same clips.
    """
    predicted = {name: np.empty(len(asked), dtype=np.int64) for name in versions}
    majority = np.empty(len(asked), dtype=np.int64)
    for fold in np.unique(side[asked]):
        train, out = np.flatnonzero(side != fold), side[asked] == fold
        rows = asked[out]
        many = [points[train], *(values[out] for values in versions.values())]
        which = np.concatenate([train, *[rows] * len(versions)])
        test = np.arange(len(which)) >= len(train)
        _, found = probes.evaluate(
            np.concatenate(many), labels[which], names, probe, 1, 1, seed, groups=groups[which], test=test
        )
        for name, part in zip(versions, np.split(found[test], len(versions)), strict=True):
            predicted[name][out] = part
        majority[out] = np.bincount(labels[train]).argmax()
    return predicted, majority
