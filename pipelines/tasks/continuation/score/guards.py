"""Checks of a run's record for what would tell continuations without hearing that B goes on from A: (passed, sentence) each.

They measure it as the model's own score is measured, by ROC-AUC against each kind: 0.5 is none.
"""

from collections.abc import Callable

import numpy as np

from pipelines.core import splits
from pipelines.tasks import Run
from pipelines.tasks.continuation.fit import curves, features, pairs
from pipelines.tasks.continuation.fit.pairs import KINDS, Pairs
from pipelines.tasks.continuation.fit.windows import Windows

Check = tuple[bool | None, str]
TELLS = 0.1
"""Distance of a ROC-AUC from 0.5, on either side, from which a property tells the continuations."""


def all_of(run: Run, windows: Windows, score: Callable, found: dict[str, np.ndarray]) -> dict[str, Check]:
    """Name -> check, of the run's windows, its fitted model and its answers on the test pairs."""
    train, test = (pairs.of_side(run, windows, side) for side in ("train", "test"))
    worst = min(KINDS, key=lambda kind: _auc(test.kind, found["score"], kind))
    return {
        "no group on two sides": groups(windows),
        "each window is the continuation as often as any other kind": balanced(test),
        "better than chance against every kind": (
            _auc(test.kind, found["score"], worst) > 0.5,
            f"ROC-AUC is lowest against {worst}: {_auc(test.kind, found['score'], worst):.3f}",
        ),
        "B alone does not tell": b_alone(test, score, run.shared["seed"]),
        "beginnings and endings do not tell": places(train, test),
        "the fit of keys does not tell what was transposed": keys(test),
    }


def groups(windows: Windows) -> Check:
    """Is each group on one side?"""
    if not splits.is_grouped(windows.clips):
        return None, splits.NO_GROUPS
    sides = windows.clips.groupby("group")["split"].nunique()
    return bool((sides == 1).all()), f"{int((sides > 1).sum())} of {len(sides)} groups have windows on several sides"


def balanced(test: Pairs) -> Check:
    """Does each window occur as B once with each kind?"""
    true = np.sort(test.b[test.true])
    uneven = [kind for kind in KINDS if not np.array_equal(np.sort(test.b[test.kind == kind]), true)]
    said = f"other windows are drawn otherwise for {', '.join(uneven)}" if uneven else f"{len(true)} windows"
    return not uneven, said


def b_alone(test: Pairs, score: Callable, seed: int) -> Check:
    """Does the model know continuations when each A is exchanged for one of another group? Then it knows them by B: cadences,
    first bars, keys that nobody writes in."""
    rng = np.random.default_rng(seed)
    group, n = test.windows.group, int(test.true.sum())
    a = test.a[:n]  # of the continuations; those of each kind have the same in the same order
    other = np.array([rng.choice(a[group[a] != group[row]]) for row in a])
    _, b = test.grids()
    exchanged = score(test.windows.grids[np.tile(other, len(test) // n)], b)
    return _told({kind: _auc(test.kind, exchanged, kind) for kind in KINDS}, "without A the model's ROC-AUC is")


def places(train: Pairs, test: Pairs) -> Check:
    """Do two facts tell: A begins its piece, B ends its own? Each combination is scored by its share of continuations in
    training."""
    known, asked = (2 * (each.windows.place[each.a] == 0) + each.windows.last[each.b] for each in (train, test))
    found = {}
    for kind in KINDS:
        rows = curves.of_kind(train.kind, kind)
        counts = np.bincount(known[rows], minlength=4)
        share = np.bincount(known[rows], train.true[rows], minlength=4) / np.maximum(counts, 1)
        found[kind] = _auc(test.kind, share[asked], kind)
    return _told(found, "by the first window of A's piece and the last of B's, ROC-AUC is")


def keys(test: Pairs) -> Check:
    """Does the correlation of pitch classes alone tell B from one that was transposed to where it is highest? It can: B's own key
    need not be the one that fits best."""
    kind = KINDS[1]
    fit = features.of_pairs(*test.grids())[:, features.names().index("key_0")]
    return _told({kind: _auc(test.kind, fit, kind)}, "by the correlation of pitch classes, ROC-AUC is")


def _told(found: dict[str, float], what: str) -> Check:
    said = ", ".join(f"{value:.3f} against {kind}" for kind, value in found.items())
    return all(abs(value - 0.5) < TELLS for value in found.values()), f"{what} {said}"


def _auc(kinds: np.ndarray, score: np.ndarray, kind: str) -> float:
    rows = curves.of_kind(kinds, kind)
    return curves.roc_auc(kinds[rows] == pairs.TRUE, score[rows])
