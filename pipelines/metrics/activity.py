"""Segment- and event-based F1 of events with labels, as sed_eval defines them (Mesaros, Heittola, Virtanen 2016).

Events are tables of one clip with `label`, `onset_s` and `offset_s`. Counts of several clips are added before an F1 is taken
(`micro_f1`), or by label (`macro_f1`). Where sed_eval gives NaN because no event was found or none is there, an F1 here is 0 if
there are events or predictions, and a label with neither is left out of the mean.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

COLLAR_S = 0.2
OFFSET_SHARE = 0.5
"""Of the reference event's length: its offset may be missed by as much, where that is more than the collar."""


class Counts(NamedTuple):
    """Of one label: true positives, events in the reference, events in the estimate; segments where those are counted."""

    hits: int = 0
    reference: int = 0
    estimate: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


def segments(
    reference: pd.DataFrame, estimate: pd.DataFrame, length_s: float | None = None, resolution_s: float = 1.0
) -> dict[str, Counts]:
    """Label -> counts of segments of `resolution_s` in which an event of the label is active. length_s: None: the last offset."""
    if length_s is None:
        length_s = max(
            (float(events["offset_s"].max()) for events in (reference, estimate) if len(events)), default=0.0
        )
    n = int(np.ceil(length_s / resolution_s))
    found = {}
    for label in _labels(reference, estimate):
        truth, answer = (_active(events, label, n, resolution_s) for events in (reference, estimate))
        found[label] = Counts(int((truth & answer).sum()), int(truth.sum()), int(answer.sum()))
    return found


def events(
    reference: pd.DataFrame,
    estimate: pd.DataFrame,
    collar_s: float = COLLAR_S,
    offset_share: float | None = OFFSET_SHARE,
) -> dict[str, Counts]:
    """Label -> counts of events; hits are the largest matching of events one to one.

    Two events match where their onsets differ by at most `collar_s`, and their offsets by at most `collar_s` or `offset_share` of
    the reference event's length, whichever is more. offset_share None: onsets alone count.
    """
    found = {}
    for label in _labels(reference, estimate):
        a, b = (table[table["label"] == label] for table in (reference, estimate))
        onsets, offsets = (
            np.abs(a[name].to_numpy(float)[:, None] - b[name].to_numpy(float)) for name in ("onset_s", "offset_s")
        )
        match = onsets <= collar_s
        if offset_share is not None:
            length = (a["offset_s"] - a["onset_s"]).to_numpy(float)[:, None]
            match &= offsets <= np.maximum(collar_s, offset_share * length)
        hits = int((maximum_bipartite_matching(csr_matrix(match)) >= 0).sum()) if match.any() else 0
        found[label] = Counts(hits, len(a), len(b))
    return found


def add(counted: list[dict[str, Counts]]) -> dict[str, Counts]:
    """The counts of several clips, label by label."""
    total: dict[str, Counts] = {}
    for one in counted:
        for label, counts in one.items():
            total[label] = total.get(label, Counts()) + counts
    return dict(sorted(total.items()))


def f1(counts: Counts) -> float:
    """0 where something is there or was found and nothing matches, NaN where neither is."""
    both = counts.reference + counts.estimate
    return 2 * counts.hits / both if both else float("nan")


def micro_f1(counted: dict[str, Counts]) -> float:
    """F1 of all labels together; NaN of no events."""
    return f1(add([{"": counts} for counts in counted.values()]).get("", Counts()))


def macro_f1(counted: dict[str, Counts]) -> float:
    """Mean F1 over the labels that the reference has; NaN where it has none."""
    values = [f1(counts) for counts in counted.values() if counts.reference]
    return float(np.mean(values)) if values else float("nan")


def from_frames(active: np.ndarray, labels: list[str], hop_s: float) -> pd.DataFrame:
    """The events of frames `(n_frames, labels)` bool: a run of active frames from k to m is the event [k, m + 1) * hop_s."""
    rows = []
    for place, label in enumerate(labels):
        edges = np.flatnonzero(np.diff(np.r_[False, active[:, place], False].astype(np.int8)))
        rows += [(label, first * hop_s, last * hop_s) for first, last in edges.reshape(-1, 2).tolist()]
    return pd.DataFrame(rows, columns=["label", "onset_s", "offset_s"])


def _active(table: pd.DataFrame, label: str, n: int, resolution_s: float) -> np.ndarray:
    """Segments that an event touches: from the one its onset is in to the one its offset is in."""
    active = np.zeros(n, bool)
    for row in table[table["label"] == label].itertuples():
        active[int(np.floor(row.onset_s / resolution_s)) : int(np.ceil(row.offset_s / resolution_s))] = True
    return active


def _labels(*tables: pd.DataFrame) -> list[str]:
    return sorted({label for table in tables for label in table["label"]})
