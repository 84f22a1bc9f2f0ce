"""Random forest on the features of a pair (Breiman 2001)."""

from sklearn.ensemble import RandomForestClassifier

from pipelines.tasks.continuation.fit import classic

GRID = {"n_estimators": [200], "min_samples_leaf": [2, 8]}


def create(seed, **parameters):
    return RandomForestClassifier(class_weight="balanced", random_state=seed, n_jobs=1, **parameters)


def fit(train, validation, options, seed, folder):
    return classic.fit(create, GRID, train, validation, options, seed, folder)


load = classic.load
