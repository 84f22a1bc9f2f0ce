"""What the family's page shows of a run: ROC curves, counts and pairs to hear."""

from collections.abc import Mapping

import numpy as np
from sklearn.metrics import roc_curve

from pipelines.tasks import Run
from pipelines.tasks.continuation.fit import curves, pairs
from pipelines.tasks.continuation.fit.pairs import KINDS, Pairs
from pipelines.tasks.continuation.fit.windows import BAR, VOICES, Windows

POINTS = 60
"""Of a ROC curve, at most."""


def details(run: Run, windows: Windows, found: Mapping[str, np.ndarray], config: Mapping) -> dict:
    """`{"model", "options", "bars", "left_out", "without", "threshold", "figures", "kinds", "examples"}`. kinds: of each its
    `roc_auc`, ROC curve (`false`, `true`: shares), and how many pairs were rightly and wrongly called continuations."""
    test = pairs.of_side(run, windows, "test")
    return {
        "model": run.model,
        "options": dict(run.options),
        "left_out": dict(windows.left_out),
        "without": test.without,
        "threshold": config["threshold"],
        "curve": config.get("curve", []),
        "kinds": {kind: _kind(found, kind) for kind in KINDS},
        "examples": _examples(test, found["score"], config["threshold"]),
    }


def notes(grid: np.ndarray) -> list[list[int]]:
    """`[voice, pitch, first step, steps]` of each note of a grid `(steps, 8)`; a note that was held before it begins with it."""
    found = []
    for voice in range(VOICES):
        pitch, begins = grid[:, voice].astype(int), grid[:, VOICES + voice] > 0
        starts = np.flatnonzero(begins | (np.diff(pitch, prepend=0) != 0))
        ends = np.append(starts[1:], len(grid))[: len(starts)]
        found += [
            [voice, int(pitch[start]), int(start), int(end - start)]
            for start, end in zip(starts, ends, strict=True)
            if pitch[start]
        ]
    return sorted(found, key=lambda note: (note[2], note[0]))


def _kind(found: Mapping[str, np.ndarray], kind: str) -> dict:
    rows = curves.of_kind(found["kind"], kind)
    true, score, said = (found[name][rows] for name in ("actual", "score", "said"))
    false_share, true_share, _ = roc_curve(true, score)
    places = np.unique(np.linspace(0, len(true_share) - 1, POINTS).round().astype(int))
    return {
        "roc_auc": curves.roc_auc(true, score),
        "false": [round(float(share), 4) for share in false_share[places]],
        "true": [round(float(share), 4) for share in true_share[places]],
        "counts": {
            "continuations": int(true.sum()),
            "called so": int(said[true].sum()),
            "others": int((~true).sum()),
            "called continuations": int(said[~true].sum()),
        },
    }


def _examples(test: Pairs, score: np.ndarray, threshold: float) -> list[dict]:
    """The continuation that the model is surest of and the one that it doubts most, and of each kind the window that it takes for
    a continuation most: `{"kind", "said", "a", "b", "shift", "notes", "steps"}`."""
    true = np.flatnonzero(test.true)
    chosen = [true[score[true].argmax()], true[score[true].argmin()]]
    chosen += [rows[score[rows].argmax()] for rows in (np.flatnonzero(test.kind == kind) for kind in KINDS)]
    a, b = test.grids()
    windows, bars = test.windows, a.shape[1] // BAR
    titles = windows.clips["title"].to_numpy(str)[windows.piece]
    return [
        {
            "kind": str(test.kind[row]),
            "said": bool(score[row] >= threshold),
            "a": _place(titles, windows, test.a[row], bars),
            "b": _place(titles, windows, test.b[row], bars),
            "shift": int(test.shift[row]),
            "notes": notes(np.concatenate([a[row], b[row]])),
            "steps": 2 * a.shape[1],
        }
        for row in chosen
    ]


def _place(titles: np.ndarray, windows: Windows, row: int, bars: int) -> str:
    first = windows.place[row] * bars
    return f"{titles[row]}, bars {first + 1} to {first + bars}"
