"""Gradient boosting on histograms of the features of a pair."""

from sklearn.ensemble import HistGradientBoostingClassifier

from pipelines.tasks.continuation.fit import classic

GRID = {"learning_rate": [0.05], "max_iter": [300], "max_leaf_nodes": [15]}


def create(seed, **parameters):
    # no early stopping: it would set pairs aside at random, pairs of one piece on both sides
    return HistGradientBoostingClassifier(
        random_state=seed, early_stopping=False, class_weight="balanced", **parameters
    )


def fit(train, validation, options, seed, folder):
    return classic.fit(create, GRID, train, validation, options, seed, folder)


load = classic.load
