"""Pairs of windows: each window with its continuation, and with windows that do not follow it, of three kinds.

`balanced` negatives are a permutation of the continuations: a B that ends its piece, is silent or sounds like nothing else is the
continuation once, and once a negative of each kind. So a score that looks at B alone has a ROC-AUC of exactly 0.5 against
`other_piece` and `same_piece`, whatever it looks at. A B of another piece has the place of the
continuation in its piece, and is the last one where that is, as far as there are enough: so places tell nothing either.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipelines.core.splits import SIDES
from pipelines.tasks import Run
from pipelines.tasks.continuation.fit.windows import VOICES, Windows, shifted

TRUE = "continuation"
KINDS = ("other_piece", "other_piece_in_key", "same_piece")
SHIFTS = np.array([0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5, 6])
"""Semitones, the smaller ones first: of keys that fit equally well, the nearest is taken."""
ALIKE = 0.5
"""Share of equal cells from which one window repeats another."""


@dataclass(frozen=True)
class Pairs:
    """Rows of pairs over `windows`: a, b: `(n,)` its windows; shift: `(n,)` semitones by which B is transposed; kind: `(n,)`,
    `TRUE` or one of `KINDS`. without: pieces of which no pair could be drawn."""

    windows: Windows
    a: np.ndarray
    b: np.ndarray
    shift: np.ndarray
    kind: np.ndarray
    without: int = 0

    def __len__(self) -> int:
        return len(self.a)

    @property
    def true(self) -> np.ndarray:
        """`(n,)`: is B the continuation?"""
        return self.kind == TRUE

    def grids(self) -> tuple[np.ndarray, np.ndarray]:
        """(A, B): `(n, steps, 8)` of each pair, B in the key in which it stands there."""
        return self.windows.grids[self.a], shifted(self.windows.grids[self.b], self.shift)


def of_side(run: Run, windows: Windows, side: str) -> Pairs:
    """The pairs of a side on which all runs with the same options are scored. Raises `ValueError` as `draw` does."""
    rng = np.random.default_rng([run.shared["seed"], SIDES.index(side)])
    return draw(windows.of(side), run.options["negatives"] == "balanced", rng)


def draw(windows: Windows, balanced: bool, rng: np.random.Generator) -> Pairs:
    """The pairs of one side: four of each A, the continuation and one of each kind. Raises `ValueError` where there are no pieces
    of two groups with enough different windows."""
    first, same = [], []
    for piece in range(len(windows.clips)):
        rows = np.flatnonzero(windows.piece == piece)
        found = _elsewhere(windows.grids[rows, :, :VOICES], balanced, rng)
        if found is not None:
            first.append(rows[:-1])
            same.append(rows[found])
    pieces = len(windows.clips) - len(first)
    a = np.concatenate([np.empty(0, int), *first])
    group = windows.group
    if len(np.unique(group[a])) < 2:
        raise ValueError(
            f"no pairs can be drawn: of {len(windows.clips)} pieces {pieces} have too few different windows (five do), and the "
            "others are not of two groups: take fewer `bars`, or more pieces"
        )
    other = _of_other_pieces(windows, a, rng) if balanced else _anywhere(windows, a, rng)
    key = best_shift(windows.grids[a], windows.grids[other])
    none = np.zeros(len(a), int)
    return Pairs(
        windows=windows,
        a=np.tile(a, 4),
        b=np.concatenate([a + 1, other, other, *same]),
        shift=np.concatenate([none, none, key, none]),
        kind=np.repeat([TRUE, *KINDS], len(a)),
        without=pieces,
    )


def best_shift(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`(n,)` semitones, -5 to 6, by which each B `(n, steps, 8)` is moved so that its pitch classes correlate most with A's."""
    x, y = pitch_classes(a), pitch_classes(b)
    x, y = (each - each.mean(axis=1, keepdims=True) for each in (x, y))
    fits = np.stack([(x * np.roll(y, shift, axis=1)).sum(axis=1) for shift in SHIFTS])
    return SHIFTS[(fits > fits.max(axis=0) - 1e-9).argmax(axis=0)]


def pitch_classes(grids: np.ndarray) -> np.ndarray:
    """`(n, 12)`: how many cells of each window `(n, steps, 8)` sound each pitch class."""
    pitch = grids[..., :VOICES].reshape(len(grids), -1)
    number = np.where(pitch > 0, pitch % 12, 12) + 13 * np.arange(len(grids))[:, None]
    return np.bincount(number.ravel(), minlength=13 * len(grids)).reshape(-1, 13)[:, :12].astype(float)


def _elsewhere(pitch: np.ndarray, balanced: bool, rng: np.random.Generator) -> np.ndarray | None:
    """Of a piece's windows `(m, steps, 4)`: for each but the last, the number of one that is not its continuation; None where the
    piece has too few different ones."""
    m = len(pitch)
    equal = (pitch[:, None] == pitch[None]).mean(axis=(2, 3)) >= ALIKE
    a, b = np.arange(m - 1)[:, None], np.arange(m)[None]
    allowed = np.abs(b - a) > 1
    allowed &= ~equal[1:]  # what sounds like the continuation
    allowed[:, 1:] &= ~equal[:-1, :-1]  # what follows something that sounds like A
    if balanced:
        found = _permutation(allowed[:, 1:], rng)
        return None if found is None else found + 1
    if m < 2 or not allowed.any(axis=1).all():
        return None
    return np.where(allowed, rng.random(allowed.shape), -1).argmax(axis=1)


def _of_other_pieces(windows: Windows, a: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The continuations of `a`, exchanged between pieces of different groups: among those of one place first, and where that
    cannot be, with those of the next places."""
    group, b = windows.group, a + 1
    places = 2 * windows.place[b] + windows.last[b]
    # last windows by themselves, the rarest places last: what is left over joins what stands next to it
    order = sorted(np.unique(places).tolist(), key=lambda place: (place % 2, place))
    found, waiting, done = np.full(len(a), -1), np.empty(0, int), []
    for place in order:
        waiting = np.concatenate([waiting, np.flatnonzero(places == place)])
        chosen = _permutation(group[a[waiting]][:, None] != group[b[waiting]], rng)
        if chosen is not None:
            found[waiting] = b[waiting[chosen]]
            done.append(waiting)
            waiting = np.empty(0, int)
    while len(waiting):
        if not done:
            raise ValueError("no pairs can be drawn: one group has more than half of the windows; add pieces of others")
        waiting = np.concatenate([done.pop(), waiting])
        chosen = _permutation(group[a[waiting]][:, None] != group[b[waiting]], rng)
        if chosen is not None:
            found[waiting] = b[waiting[chosen]]
            break
    return found


def _anywhere(windows: Windows, a: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each of `a` any window of a piece of another group."""
    group = windows.group
    return np.array([rng.choice(np.flatnonzero(group != group[row])) for row in a])


def _permutation(allowed: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """`(n,)`: a random column for each row of `allowed` `(n, n)`, each column once; None where there is none."""
    if not len(allowed) or not (allowed.any(axis=0).all() and allowed.any(axis=1).all()):
        return None
    cost = np.where(allowed, rng.random(allowed.shape), len(allowed) + 1.0)
    rows, found = linear_sum_assignment(cost)
    return found if allowed[rows, found].all() else None
