"""k nearest neighbours: the classes of the nearest training clips vote."""

from sklearn.neighbors import KNeighborsClassifier

GRID = {"n_neighbors": [1, 3, 5, 11, 21], "weights": ["uniform", "distance"]}


def create(seed, **parameters):
    return KNeighborsClassifier(**parameters)
