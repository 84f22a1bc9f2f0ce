"""Gradient boosting on histograms of features."""

from sklearn.ensemble import HistGradientBoostingClassifier

GRID = {"learning_rate": [0.05, 0.2], "max_iter": 100, "max_leaf_nodes": 15}


def create(seed, **parameters):
    # no early stopping: it would set training clips aside at random, clips of one group on both sides
    return HistGradientBoostingClassifier(random_state=seed, early_stopping=False, **parameters)
