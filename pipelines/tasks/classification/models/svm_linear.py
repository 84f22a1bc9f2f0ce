"""Linear support vector machine, one class against the others."""

from sklearn.svm import LinearSVC

GRID = {"C": [0.001, 0.01, 0.1, 1.0]}


def create(seed, **parameters):
    return LinearSVC(random_state=seed, max_iter=5000, **parameters)
