"""Multinomial logistic regression with an L2 penalty."""

from sklearn.linear_model import LogisticRegression

GRID = {"C": [0.001, 0.01, 0.1, 1.0]}


def create(seed, **parameters):
    return LogisticRegression(max_iter=1000, random_state=seed, **parameters)
