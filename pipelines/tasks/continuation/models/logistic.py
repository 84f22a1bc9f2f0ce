"""Logistic regression with an L2 penalty on the features of a pair."""

from sklearn.linear_model import LogisticRegression

from pipelines.tasks.continuation.fit import classic

GRID = {"C": [0.001, 0.01, 0.1, 1.0]}


def create(seed, **parameters):
    return LogisticRegression(max_iter=2000, class_weight="balanced", random_state=seed, **parameters)


def fit(train, validation, options, seed, folder):
    return classic.fit(create, GRID, train, validation, options, seed, folder)


load = classic.load
