"""Average precision and curves of precision by recall from histograms of probabilities, which add up over clips.

So a resample of clips costs a sum of histograms, whatever the number of frames. The average precision is scikit-learn's, the sum
of precision times the step of recall, of probabilities rounded to 1 / BINS.
"""

import numpy as np

BINS = 200
POINTS = 40
"""Of a curve."""


def histogram(truth: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(positives, negatives) of a clip, int32 `(classes, BINS + 1)`: how many units with and without the class have each rounded
    probability. truth, p: `(units, classes)`."""
    place = np.rint(p * BINS).astype(int)
    return tuple(
        np.stack([np.bincount(place[chosen[:, n], n], minlength=BINS + 1) for n in range(p.shape[1])]).astype(np.int32)
        for chosen in (truth, ~truth)
    )


def of_classes(columns) -> np.ndarray:
    """Average precision of each class; NaN of one that the clips have not."""
    recall, precision = _curves(columns)
    steps = np.diff(recall, axis=1, prepend=0)
    return np.where(recall[:, -1] > 0, (steps * precision).sum(axis=1), np.nan)


def mean(columns) -> float:
    """Mean average precision over the classes that the clips have; NaN of none."""
    values = of_classes(columns)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def curves(columns) -> list[dict[str, list[float]]]:
    """Of each class `recall` and `precision` from the highest threshold down, at most `POINTS`; empty of one that never plays."""
    found = []
    for recall, precision in zip(*_curves(columns), strict=True):
        points = np.unique(recall, return_index=True)[1]
        points = points[recall[points] > 0]
        points = (
            points[np.unique(np.linspace(0, len(points) - 1, POINTS).round().astype(int))] if len(points) else points
        )
        found.append({"recall": recall[points].round(4).tolist(), "precision": precision[points].round(4).tolist()})
    return found


def _curves(columns) -> tuple[np.ndarray, np.ndarray]:
    """(recall, precision) `(classes, BINS + 1)` at each threshold, the highest first."""
    with_it, without = (
        columns[name].sum(axis=0).reshape(-1, BINS + 1)[:, ::-1].cumsum(axis=1) for name in ("positives", "negatives")
    )
    return with_it / np.maximum(with_it[:, -1:], 1), with_it / np.maximum(with_it + without, 1)
