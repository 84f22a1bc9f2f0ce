"""Support vector machine with a radial basis function kernel, exp(-gamma |x - y|^2)."""

import joblib
import numpy as np
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from pipelines.harness import executor

GRID = {"C": [1.0, 10.0, 100.0], "gamma": ["scale", 0.0003, 0.001, 0.01]}
MOST = 10_000
"""Training clips up to which candidates share a matrix of all distances: 0.8 GB, and as much again for each kernel."""


def create(seed, **parameters):
    # break_ties: the predicted class is the one with the highest score, which top-3 accuracy ranks by
    return SVC(kernel="rbf", break_ties=True, cache_size=500, **parameters)


def predictions(candidates, sides):
    """What each candidate answers to the validation clips (`search.best`), from one matrix of distances and one kernel a gamma;
    None where they have other parameters, or the matrix would be too large. Near a tie of two classes an answer may differ from
    that of `create`, by rounding."""
    if any(set(one) != {"C", "gamma"} for one in candidates) or len(sides.values) > MOST:
        return None
    with threadpool_limits(1):
        own = euclidean_distances(sides.values, squared=True)
        there = euclidean_distances(sides.held, sides.values, squared=True)
    found = [None] * len(candidates)
    for gamma in dict.fromkeys(one["gamma"] for one in candidates):
        number = {"scale": 1 / (sides.values.shape[1] * sides.values.var()), "auto": 1 / sides.values.shape[1]}.get(
            gamma, gamma
        )
        kernels = np.exp(-number * own), np.exp(-number * there)
        places = [place for place, one in enumerate(candidates) if one["gamma"] == gamma]
        # threads: libsvm leaves Python's lock, and draws nothing at random without probabilities
        answers = joblib.Parallel(executor.n_workers(), prefer="threads")(
            joblib.delayed(_answers)(candidates[place]["C"], *kernels, sides) for place in places
        )
        for place, answer in zip(places, answers, strict=True):
            found[place] = answer
    return found


def _answers(c, own, there, sides):
    model = SVC(C=c, kernel="precomputed", break_ties=True, cache_size=500)
    return model.fit(own, sides.classes, sample_weight=sides.weights).predict(there)
