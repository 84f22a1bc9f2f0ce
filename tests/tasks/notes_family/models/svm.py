"""A linear support vector machine on standardised vectors (scikit-learn's `LinearSVC`), kept as arrays."""

import numpy as np
from sklearn.svm import LinearSVC


def fit(values, classes, seed, options):
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-9
    model = LinearSVC(C=options["C"], random_state=seed).fit((values - mean) / scale, classes)
    coefficients, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps one row for two classes
        coefficients, intercept = np.vstack([-coefficients, coefficients]), np.hstack([-intercept, intercept])
    return {"mean": mean, "scale": scale, "coef": coefficients, "intercept": intercept, "classes": model.classes_}


def predict(arrays, values):
    decisions = (values - arrays["mean"]) / arrays["scale"] @ arrays["coef"].T + arrays["intercept"]
    return arrays["classes"][decisions.argmax(axis=1)]
