"""The memorisation table of a run: generated pieces and held-out pieces of people, each against the training pieces."""

from collections.abc import Callable, Sequence

import numpy as np

from pipelines.metrics.intervals import bootstrap
from pipelines.tasks.sequences.fit import sampling
from pipelines.tasks.sequences.score import memorisation

PROMPT, MOST = 32, 64
COLUMNS = ("longest", "absent_8", "absent_16", "absent_24")


def table(
    generated: Sequence[np.ndarray],
    people: Sequence[np.ndarray],
    groups: Sequence[str],
    training: Sequence[np.ndarray],
    n_bootstrap: int,
    seed: int,
) -> dict:
    """`{"generated", "people"}`, each `{"n", "events"}` and column -> `{"mean", "ci95"}`, and `worst`, the generated piece that
    shares the longest run with training: `{"piece", "longest", "nearest", "run", "source"}`, the last two the voice, the first
    step and the step after the last of that run, here and in the training piece `nearest` (None where nothing is shared).

    Held-out pieces are cut to the length of the generated ones: longer pieces share longer runs. Intervals are of means over
    pieces; of people's pieces whole groups are drawn.
    """
    known = memorisation.events(training)
    steps = len(generated[0])
    ours = memorisation.compare(generated, known)
    theirs = memorisation.compare([piece[:steps] for piece in people], known)
    worst = int(np.argmax(ours["longest"]))
    return {
        "generated": _row(ours, np.arange(len(generated)), n_bootstrap, seed),
        "people": _row(theirs, np.unique(groups, return_inverse=True)[1], n_bootstrap, seed),
        "worst": {
            "piece": worst,
            "longest": int(ours["longest"][worst]),
            "nearest": int(ours["nearest"][worst]),
            "run": _span(generated, memorisation.events(generated), ours["first"][worst], ours["longest"][worst]),
            "source": _span(training, known, ours["first_there"][worst], ours["longest"][worst]),
        },
    }


def extraction(begin: Callable | None, pieces: Sequence[np.ndarray], n_bootstrap: int, seed: int) -> dict:
    """`{"n", "cells", "ci95", "whole"}`: how much of a piece the model gives back that is prompted with its first `PROMPT` steps
    and takes the likeliest cell each time: the mean share of the next `PROMPT` steps' cells that are the piece's own, over at
    most `MOST` pieces, and the share of pieces that are given back whole. A model that has learned gives back as much of
    held-out pieces. begin: None of a model that cannot be prompted.
    """
    long = [piece[: 2 * PROMPT] for piece in pieces if begin and len(piece) >= 2 * PROMPT]
    if not long:
        return {"n": 0, "cells": None, "ci95": None, "whole": None}
    wanted = np.stack([long[n] for n in np.unique(np.linspace(0, len(long) - 1, MOST).round().astype(int))])
    given = wanted.astype(np.int64)
    given[:, PROMPT:] = sampling.FREE
    right = (sampling.sample(begin, given, len(given), seed, top_k=1) == wanted)[:, PROMPT:].mean(axis=(1, 2))
    interval = bootstrap(lambda drawn: right[drawn].mean(), len(right), n_bootstrap, seed)
    return {"n": len(right), "cells": float(right.mean()), "ci95": interval, "whole": float(np.mean(right == 1))}


def _span(pieces, events, first, n) -> list[int] | None:
    return list(memorisation.span(pieces, events, int(first), int(n))) if n else None


def _row(found: dict[str, np.ndarray], groups: np.ndarray, n_bootstrap: int, seed: int) -> dict:
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    row = {"n": len(groups), "events": float(found["events"].mean())}
    for name in COLUMNS:
        values = found[name].astype(float)
        sums = np.array([np.nansum(values[rows]) for rows in members])
        counts = np.array([np.isfinite(values[rows]).sum() for rows in members])
        defined = counts.sum() > 0
        row[name] = {"mean": float(sums.sum() / counts.sum()) if defined else None, "ci95": None}
        if defined:
            row[name]["ci95"] = bootstrap(_mean_of(sums, counts), len(members), n_bootstrap, seed)
    row["longest"]["most"] = int(found["longest"].max())
    return row


def _mean_of(sums: np.ndarray, counts: np.ndarray) -> Callable[[np.ndarray], float]:
    """The mean over the pieces of drawn groups, NaN of none."""
    return lambda drawn: sums[drawn].sum() / counts[drawn].sum() if counts[drawn].any() else np.nan
