"""Leak audit: exact copies, near copies and shared groups (artists, works) between test and training clips, or within a dataset.

Every finder returns `(record, flagged)`. flagged: `(clips,)` bool, test clips with a match on another side of the split. The
record:
`{"n", "n_test", "n_flagged", "share", "ci95" (Clopper and Pearson 1934), "chance" (the mean share over random permutations of the
split), "pairs"}` and the finder's own keys. pairs: `[row, row]` or `[row, row, cosine]` of clips on different sides, by row; for
groups see there.

`splits=None` searches within a dataset that has no split: clips with a match in an earlier row are flagged, so that the first of
each set of copies is kept. "n_test" and "chance" are then absent, nothing is permuted, and any two clips may be a pair.
"""

import numpy as np
from scipy.stats import binomtest

from pipelines.evaluation.neighbours import BLOCK, nearest, unit
from pipelines.evaluation.threads import one_thread
from pipelines.metrics import checks
from pipelines.metrics.intervals import bootstrap, by_group

FINEST = 1e-6  # cosine distances below this are those of equal vectors in float32
LEAST = 0.9  # cosine
RANKS = 4  # nearest clips that are looked at: of more copies of one sound than this, none is found


def exact(hashes: np.ndarray, splits: np.ndarray | None, n_permutations: int, seed: int, test: str = "test") -> tuple:
    """Clips of equal content: `hashes` `(clips,)` of the decoded audio or of the files, `splits` `(clips,)` side names.
    Within a dataset each pair is a clip and the first of its like."""
    splits = _checked(splits, test)
    copies = checks.numbered(hashes, len(hashes) if splits is None else len(splits))
    record, flagged = _shared(copies, splits, n_permutations, seed, test)
    order = np.argsort(copies, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(copies[order])) + 1)
    if splits is None:
        pairs = [(rows[0], b) for rows in sets for b in rows[1:]]
    else:
        pairs = [(a, b) for rows in sets for i, a in enumerate(rows) for b in rows[i + 1 :] if splits[a] != splits[b]]
    return record | {"pairs": [[int(a), int(b)] for a, b in pairs]}, flagged


def groups(members: np.ndarray, splits: np.ndarray | None, n_permutations: int, seed: int, test: str = "test") -> tuple:
    """Groups on two sides. members: `(clips,)` the artist or work of each clip (strings, say); None or "" is unknown and
    never shared. The record has "groups" (names of those on two sides, within a dataset of two clips or
    more, sorted) and "n_groups" instead of "pairs"."""
    splits = _checked(splits, test)
    members = np.asarray(members, dtype=object)
    known = np.array([member is not None and member == member and member != "" for member in members], dtype=bool)
    names, number = np.unique(members[known].astype(str), return_inverse=True)
    sides = np.arange(len(members)) if splits is None else splits
    group = np.arange(len(sides)) + len(names)  # each unknown is alone
    group[known] = number
    record, flagged = _shared(group, splits, n_permutations, seed, test)
    first = {}
    both = {int(g) for g, side in zip(group, sides, strict=True) if first.setdefault(int(g), side) != side}
    return record | {"groups": sorted(str(names[g]) for g in both), "n_groups": len(names)}, flagged


def near_threshold(points: np.ndarray, strictness: float = 5.0) -> float:
    """The cosine above which two clips of `points` `(clips, d)` are too near to be two recordings, learnt from the points.

    With e the logarithm of each clip's cosine distance to its nearest other clip: median(e) - strictness x 1.4826 x
    MAD(e), back as a cosine. Median and MAD (Hampel 1974) do not see the copies while these are fewer than half; for normal
    e, strictness 5 lets one of three million other clips through. Where half of the clips or more have a copy, the nearest clips
    are copies: their median is below what the next nearest allow, and those are taken instead, up to the fourth. At most
    1 - 1e-6, which only equal vectors reach, and at least `LEAST`: where the other clips are equally far from each other, the
    nearest of them is no copy.
    """
    if len(points) < 2:
        raise ValueError("at least two clips are needed to find near copies")
    cosines = nearest(points, min(RANKS, len(points) - 1))[1].astype(np.float64)
    distances = np.log(np.maximum(1 - cosines, FINEST)).T
    medians = np.median(distances, axis=1)
    lowest = medians - strictness * 1.4826 * np.median(np.abs(distances - medians[:, None]), axis=1)
    rank = next((rank for rank in range(len(medians) - 1) if medians[rank] >= lowest[rank + 1]), len(medians) - 1)
    return float(max(LEAST, 1 - max(np.exp(lowest[rank]), FINEST)))


def near(
    points: np.ndarray,
    splits: np.ndarray | None,
    n_permutations: int,
    seed: int,
    threshold: float | None = None,
    test: str = "test",
) -> tuple:
    """Pairs on two sides whose cosine is `threshold` or more; None: `near_threshold`. points: `(clips, d)` standardised
    embeddings or pooled features. The record adds "threshold"; pairs come nearest first. Exact copies are near copies
    too. ValueError where pairs are more than 100 times the clips.
    """
    splits = _checked(splits, test)
    if splits is not None and len(splits) != len(points):
        raise ValueError(f"{len(points)} clips but {len(splits)} splits; one per clip is needed")
    threshold = near_threshold(points) if threshold is None else threshold
    values = unit(points)
    found, many = [], 100 * len(values)
    with one_thread():
        for start in range(0, len(values), BLOCK):
            cosines = values[start : start + BLOCK] @ values[start:].T
            a, b = np.nonzero(cosines >= threshold)
            found.append(np.stack([a + start, b + start, cosines[a, b]], axis=1)[b > a])
            many -= len(found[-1])
            if many < 0:
                raise ValueError(
                    f"more than 100 pairs per clip have a cosine of {threshold:.6f} or more: this embedding hardly "
                    "separates clips; find near copies in another, or set a higher threshold"
                )
    found = np.concatenate(found)
    a, b = found[:, :2].astype(np.int64).T
    if splits is None:
        record, flagged = _within(np.isin(np.arange(len(values)), b))
        across = np.arange(len(a))
    else:
        record, flagged = _record(lambda sides: _across(a, b, sides, test), splits, n_permutations, seed, test)
        across = np.flatnonzero(splits[a] != splits[b])
    across = across[np.lexsort((b[across], a[across], -found[across, 2]))]
    pairs = [[int(a[i]), int(b[i]), float(min(found[i, 2], 1.0))] for i in across]
    return record | {"threshold": float(threshold), "pairs": pairs}, flagged


def without(
    right: np.ndarray,
    flagged: np.ndarray,
    n_bootstrap: int,
    seed: int,
    labels: np.ndarray | None = None,
    members: np.ndarray | None = None,
) -> dict:
    """The score with and without the flagged clips. right: `(test clips,)` was each predicted rightly (or any score of a
    clip); flagged: bool, the same clips; labels: their classes, for the majority baseline; members: their works or artists.

    Returns `{"n", "n_flagged", "all": S, "clean": S, "flagged": S, "gain", "gain_ci95"}`; S is `{"n", "score", "ci95",
    "majority"}` or None where there is no such clip; gain: the score of all less that of the clean, what leaks are worth,
    with 0 for its baseline; intervals: bootstrap over groups; majority: the share of the commonest class, None without labels.
    """
    right, flagged = np.asarray(right, dtype=np.float64), np.asarray(flagged, dtype=bool)
    if right.ndim != 1 or right.shape != flagged.shape or not len(right):
        raise ValueError(f"one value of both for each test clip is needed, not {right.shape} and {flagged.shape}")
    if not np.isfinite(right).all():
        raise ValueError("scores must be numbers; leave out the clips without one")

    def score(rows: np.ndarray) -> dict | None:
        if not len(rows):
            return None
        values = right[rows]
        commonest = np.unique(np.asarray(labels)[rows], return_counts=True)[1].max() if labels is not None else None
        return {
            "n": len(rows),
            "score": float(values.mean()),
            "ci95": bootstrap(
                *by_group(lambda drawn: values[drawn].mean(), checks.numbered(group[rows], len(rows))),
                n_bootstrap,
                seed,
            ),
            "majority": float(commonest / len(rows)) if commonest else None,
        }

    def gain(rows: np.ndarray) -> float:
        clean = ~flagged[rows]
        return right[rows].mean() - right[rows][clean].mean() if clean.any() else np.nan

    everyone, group = np.arange(len(right)), checks.numbered(members, len(right))
    some_clean = not flagged.all()
    return {
        "n": len(right),
        "n_flagged": int(flagged.sum()),
        "all": score(everyone),
        "clean": score(everyone[~flagged]),
        "flagged": score(everyone[flagged]),
        "gain": float(gain(everyone)) if some_clean else None,
        "gain_ci95": bootstrap(*by_group(gain, group), n_bootstrap, seed) if some_clean else None,
    }


def _checked(splits: np.ndarray | None, test: str) -> np.ndarray | None:
    if splits is None:
        return None
    splits = np.asarray(splits).astype(str)
    if splits.ndim != 1 or not (splits == test).any() or (splits == test).all():
        raise ValueError(
            f"splits: one name per clip is needed, with clips of {test!r} and of another side, not {sorted(set(splits.tolist()))}"
        )
    return splits


def _shared(number: np.ndarray, splits: np.ndarray | None, n_permutations: int, seed: int, test: str) -> tuple:
    """Test clips whose number is on another side too; without splits, clips whose number an earlier one has."""
    if splits is None:
        return _within(~np.isin(np.arange(len(number)), np.unique(number, return_index=True)[1]))

    def leaked(sides: np.ndarray) -> np.ndarray:
        elsewhere = np.bincount(number, sides != test) > 0
        return (sides == test) & elsewhere[number]

    return _record(leaked, splits, n_permutations, seed, test)


def _across(a: np.ndarray, b: np.ndarray, sides: np.ndarray, test: str) -> np.ndarray:
    """Test clips of pairs that have their other clip on another side."""
    flagged = np.zeros(len(sides), dtype=bool)
    held = sides == test
    flagged[a[held[a] & ~held[b]]] = True
    flagged[b[held[b] & ~held[a]]] = True
    return flagged


def _record(leaked, splits: np.ndarray, n_permutations: int, seed: int, test: str) -> tuple[dict, np.ndarray]:
    flagged = leaked(splits)
    n_test, hits = int((splits == test).sum()), int(flagged.sum())
    generator = np.random.default_rng(seed)
    chance = [leaked(generator.permutation(splits)).sum() / n_test for _ in range(n_permutations)]
    return {
        "n": len(splits),
        "n_test": n_test,
        "n_flagged": hits,
        "share": hits / n_test,
        "ci95": _interval(hits, n_test),
        "chance": float(np.mean(chance)) if chance else None,
    }, flagged


def _within(flagged: np.ndarray) -> tuple[dict, np.ndarray]:
    n, hits = len(flagged), int(flagged.sum())
    return {"n": n, "n_flagged": hits, "share": hits / n, "ci95": _interval(hits, n)}, flagged


def _interval(hits: int, n: int) -> list[float]:
    interval = binomtest(hits, n).proportion_ci(0.95, "exact")
    return [float(interval.low), float(interval.high)]
