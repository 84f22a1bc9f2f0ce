"""What is decided on validation clips: a threshold for each class, and how frames become events.

A median filter over time removes short errors of decisions; filtering the probabilities before the threshold gives the same.
"""

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter

from pipelines.metrics import activity
from pipelines.tasks.activity.fit import units

THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.05), 2)
APART_S = 10.0
TOGETHER = 10
"""Clips whose events are matched at once: the memory of matching grows with the square of their number."""
EVENT_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
EVENT_SMOOTH_S = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)


def smoothed(p: np.ndarray, smooth_s: float, hop_s: float) -> np.ndarray:
    """`(frames, classes)` after a median filter of `smooth_s` seconds."""
    width = 2 * round(smooth_s / hop_s / 2) + 1
    return median_filter(p, size=(width, 1), mode="nearest")


def thresholds(truth: np.ndarray, p: np.ndarray) -> list[float]:
    """Of each class the one with the best F1 of units `(units, classes)`, of equal ones that nearest to 0.5; 0.5 of a class that
    never plays there."""
    found = []
    for place in range(truth.shape[1]):
        if not truth[:, place].any():
            found.append(0.5)
            continue
        said = p[:, place, None] >= THRESHOLDS
        hits = (said & truth[:, place, None]).sum(axis=0)
        f1 = 2 * hits / (said.sum(axis=0) + truth[:, place].sum())
        best = np.flatnonzero(f1 == f1.max())
        found.append(float(THRESHOLDS[best[np.abs(THRESHOLDS[best] - 0.5).argmin()]]))
    return found


def of_events(data: units.Units, clips: list, p: list[np.ndarray]) -> list[dict[str, float]]:
    """Of each class the `threshold` and `smooth_s` with the best F1 of events on `clips`, whose probabilities are `p`; of equal
    ones the first. A class without an event there has a threshold of 0.5 and 0.5 s."""
    best = [(-1.0, {"threshold": 0.5, "smooth_s": 0.5})] * len(data.classes)
    counted: dict[tuple[float, float], list] = {}
    for first in range(0, len(clips), TOGETHER):
        part = slice(first, first + TOGETHER)
        for choice, counts in _counts(data, clips[part], p[part]).items():
            counted.setdefault(choice, []).append(counts)
    for (smooth_s, threshold), each in counted.items():
        total = activity.add(each)
        for place, name in enumerate(data.classes):
            counts = total.get(name, activity.Counts())
            if counts.reference and activity.f1(counts) > best[place][0]:
                best[place] = activity.f1(counts), {"threshold": threshold, "smooth_s": smooth_s}
    return [chosen for _, chosen in best]


def _counts(
    data: units.Units, clips: list, p: list[np.ndarray]
) -> dict[tuple[float, float], dict[str, activity.Counts]]:
    """(smooth_s, threshold) -> counts of events of `clips`, laid one after the other, so far apart that no event is near one of
    another clip."""
    starts = np.cumsum([0, *(len(one) + round(APART_S / data.hop_s) for one in p)])
    own = [data.own(clip) for clip in clips]
    shifted = [
        table.assign(onset_s=table["onset_s"] + first * data.hop_s, offset_s=table["offset_s"] + first * data.hop_s)
        for table, first in zip(own, starts, strict=False)
    ]
    reference, found = pd.concat(shifted, ignore_index=True), {}
    for smooth_s in EVENT_SMOOTH_S:
        filtered = np.zeros((starts[-1], len(data.classes)), np.float32)
        for one, first in zip(p, starts, strict=False):
            filtered[first : first + len(one)] = smoothed(one, smooth_s, data.hop_s)
        for threshold in EVENT_THRESHOLDS:
            estimate = activity.from_frames(filtered >= threshold, data.classes, data.hop_s)
            found[smooth_s, threshold] = activity.events(reference, estimate)
    return found
