"""Random forest: trees on resampled clips, each split on a random part of the features (Breiman 2001)."""

from sklearn.ensemble import RandomForestClassifier

GRID = {"n_estimators": 200, "min_samples_leaf": [1, 3], "max_features": "sqrt"}


def create(seed, **parameters):
    return RandomForestClassifier(random_state=seed, **parameters)
