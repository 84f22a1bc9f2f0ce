"""The class probabilities of a fitted model."""

import numpy as np
from scipy.special import softmax


def probabilities(model, values: np.ndarray, temperature: float) -> np.ndarray:
    """`(clips, classes)` in the order of `model.classes_`, each row adding up to 1."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(values)
    return softmax(decisions(model, values) / temperature, axis=1)


def decisions(model, values: np.ndarray) -> np.ndarray:
    """A score for each class, the highest for the predicted one; of two classes scikit-learn gives the second's alone."""
    found = model.decision_function(values)
    return np.stack([-found, found], axis=1) if found.ndim == 1 else found
