"""Multinomial logistic regression with an L1 penalty, which leaves out features."""

from sklearn.linear_model import LogisticRegression

GRID = {"C": [0.01, 0.1, 1.0]}


def create(seed, **parameters):
    return LogisticRegression(l1_ratio=1.0, solver="saga", max_iter=300, random_state=seed, **parameters)
