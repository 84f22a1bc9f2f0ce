"""Multinomial logistic regression on the runs' log-probabilities, fitted on validation clips (stacking, Wolpert 1992).

A missing answer is the run's mean over the validation clips, and one more input of each run says whether it is missing.
"""

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

SMALLEST = 1e-6
"""A probability below this counts as this."""
C = 1.0


def fit(answers):
    """`means` `(runs, classes)`, and `weights` `(classes, inputs)` and `offsets` of the regression. A class that no validation
    clip has gets a probability near 0."""
    known = np.unique(answers.actual)
    if len(known) < 2:
        raise ValueError(
            f"stacking learns from validation clips, and these have {len(known)} classes: at least two are needed"
        )
    logs = np.log(np.maximum(answers.probabilities, SMALLEST))
    means = np.nanmean(logs, axis=1)
    model = LogisticRegression(C=C, max_iter=5000).fit(_inputs(logs, means), answers.actual)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(known) == 2:  # scikit-learn gives the second's alone
        coefficients, intercepts = np.vstack([-coefficients, coefficients]) / 2, np.append(-intercepts, intercepts) / 2
    weights, offsets = np.zeros((len(answers.classes), coefficients.shape[1])), np.full(len(answers.classes), -50.0)
    places = np.searchsorted(answers.classes, known)
    weights[places], offsets[places] = coefficients, intercepts
    return {"means": means.tolist(), "weights": weights.tolist(), "offsets": offsets.tolist()}


def fuse(probabilities, parameters):
    logs = np.log(np.maximum(probabilities, SMALLEST))
    inputs = _inputs(logs, np.array(parameters["means"]))
    return softmax(inputs @ np.array(parameters["weights"]).T + np.array(parameters["offsets"]), axis=1)


def _inputs(logs, means):
    """`(clips, runs * classes + runs)`."""
    missing = np.isnan(logs).any(axis=2)
    filled = np.where(missing[:, :, None], means[:, None, :], logs)
    return np.concatenate([*filled, missing.T.astype(float)], axis=1)
