"""AdaBoost (SAMME): shallow trees, each weighted towards clips that the earlier ones misclassified."""

from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

GRID = {"n_estimators": 100, "learning_rate": [0.3, 1.0], "max_depth": [2, 4]}


def create(seed, max_depth=2, **parameters):
    return AdaBoostClassifier(DecisionTreeClassifier(max_depth=max_depth), random_state=seed, **parameters)
