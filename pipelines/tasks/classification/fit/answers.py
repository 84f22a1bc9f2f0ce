"""The class probabilities of a fitted model."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logsumexp, softmax


def probabilities(model, values: np.ndarray, temperature: float) -> np.ndarray:
    """`(clips, classes)` in the order of `model.classes_`, each row adding up to 1."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(values)
    return softmax(decisions(model, values) / temperature, axis=1)


def two_classes(scores: np.ndarray, temperature: float) -> np.ndarray:
    """The probability of each label by its own score, of any shape: the softmax of the scores for and against it."""
    return expit(2 * scores / temperature)


def temperature(scores: np.ndarray, own: np.ndarray) -> float:
    """Of the softmax that makes probabilities of scores `(clips, classes)`: the likeliest (Guo et al. 2017, arXiv 1706.04599).

    own: the column of each clip's class. 1.0 without clips.
    """
    if not len(scores):
        return 1.0
    known = scores[np.arange(len(scores)), own]
    loss = minimize_scalar(
        lambda log: float(np.mean(logsumexp(scores * np.exp(log), axis=1) - known * np.exp(log))), bounds=(-5, 5)
    )
    return float(np.exp(-loss.x))


def of_labels(scores: np.ndarray, truth: np.ndarray) -> float:
    """The `temperature` of all labels together, scores and truth `(clips, labels)`, for `two_classes`."""
    own = scores.ravel()
    return temperature(np.stack([-own, own], axis=1), truth.ravel().astype(int))


def calibrated(model, values: np.ndarray, truth: np.ndarray) -> float:
    """The temperature of a fitted model by clips that it was not fitted on, those of a class that it knows.

    truth: the class of each clip, or `(clips, labels)`: then of all labels together. 1.0 without clips, and for a model that has
    probabilities.
    """
    if hasattr(model, "predict_proba") or not len(truth):
        return 1.0
    if truth.ndim == 2:
        return of_labels(model.decision_function(values), truth)
    known = np.isin(truth, model.classes_)
    if not known.any():
        return 1.0
    return temperature(decisions(model, values[known]), np.searchsorted(model.classes_, truth[known]))


def decisions(model, values: np.ndarray) -> np.ndarray:
    """A score for each class, the highest for the predicted one; of two classes scikit-learn gives the second's alone."""
    found = model.decision_function(values)
    return np.stack([-found, found], axis=1) if found.ndim == 1 else found
