"""The memorisation table of a run: generated pieces and held-out pieces of people, each against the training pieces."""

from collections.abc import Sequence

import numpy as np

from pipelines.metrics.intervals import FEWEST, bootstrap
from pipelines.tasks.sequences import memorisation

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
    shares the longest run with training: `{"piece", "longest", "nearest"}`.

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
        },
    }


def _row(found: dict[str, np.ndarray], groups: np.ndarray, n_bootstrap: int, seed: int) -> dict:
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    values = np.stack([found[name].astype(float) for name in COLUMNS])
    sums = np.stack([np.nansum(values[:, rows], axis=1) for rows in members])
    counts = np.stack([np.isfinite(values[:, rows]).sum(axis=1) for rows in members])
    with np.errstate(invalid="ignore"):
        means = np.nanmean(np.where(np.isfinite(values).any(axis=1, keepdims=True), values, 0.0), axis=1)
        spans = bootstrap(
            lambda drawn: sums[drawn].sum(axis=0) / counts[drawn].sum(axis=0), len(members), n_bootstrap, seed
        )
    row = {"n": len(groups), "events": float(found["events"].mean())}
    for place, name in enumerate(COLUMNS):
        defined = bool(counts[:, place].sum())
        row[name] = {
            "mean": float(means[place]) if defined else None,
            "ci95": spans[place] if defined and len(members) >= FEWEST else None,
        }
    row["longest"]["most"] = int(found["longest"].max())
    return row
