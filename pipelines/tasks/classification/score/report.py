"""Figures of a classifier beyond its scores: per class, confusions, and calibration."""

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from pipelines.metrics import tagging

N_BINS = 10
N_PAIRS = 10


def of(columns: dict, classes: list[str]) -> dict:
    """`per_class`: class -> precision, recall, f1, support, and average_precision and roc_auc of the class against the rest, None
    where no test clip is of it, or all are; `confusion`: counts, and shares of the actual class (rows);
    `pairs`; `calibration`. columns: as `score.predict` gives them. classes: in the order of the probabilities."""
    actual, predicted = columns["actual"], columns["predicted"]
    each = precision_recall_fscore_support(actual, predicted, labels=classes, zero_division=0)
    counts = confusion_matrix(actual, predicted, labels=classes)
    truth = columns["own"][:, None] == np.arange(len(classes))
    ranked = [
        [_known(value) for value in of(truth, columns["probabilities"])] for of in (tagging.pr_auc, tagging.roc_auc)
    ]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return {
        "per_class": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
            | {"average_precision": ap, "roc_auc": auc}
            for name, p, r, f, n, ap, auc in zip(classes, *each, *ranked, strict=True)
        },
        "confusion": {"classes": classes, "counts": counts.tolist(), "shares": np.round(shares, 4).tolist()},
        "pairs": pairs(counts, classes),
        "calibration": calibration(columns["probabilities"].max(axis=1), actual == predicted),
    }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def pairs(counts: np.ndarray, classes: list[str]) -> list[dict]:
    """`{"actual", "predicted", "clips", "share"}` of the most frequent confusions; share: of the clips of the actual class."""
    wrong = counts * (1 - np.eye(len(classes), dtype=int))
    order = np.argsort(-wrong.ravel(), kind="stable")[:N_PAIRS]
    cells = [divmod(int(cell), len(classes)) for cell in order if wrong.ravel()[cell]]
    return [
        {
            "actual": classes[row],
            "predicted": classes[column],
            "clips": int(counts[row, column]),
            "share": float(counts[row, column] / counts[row].sum()),
        }
        for row, column in cells
    ]


def calibration(confidence: np.ndarray, correct: np.ndarray) -> dict:
    """Bins of equal width of the predicted class's probability, and the expected calibration error: the mean distance of
    confidence and accuracy over clips (Naeini et al. 2015). Empty bins are left out."""
    number = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    bins = [
        {
            "confidence": float(confidence[there].mean()),
            "accuracy": float(correct[there].mean()),
            "clips": int(there.sum()),
        }
        for there in (number == n for n in range(N_BINS))
        if there.any()
    ]
    error = sum(one["clips"] * abs(one["confidence"] - one["accuracy"]) for one in bins) / len(confidence)
    return {"bins": bins, "expected_error": float(error)}
