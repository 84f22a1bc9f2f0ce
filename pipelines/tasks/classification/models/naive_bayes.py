"""Naive Bayes: in each class every feature is normally distributed, independently of the others."""

from sklearn.naive_bayes import GaussianNB

GRID = {"var_smoothing": [1e-9, 1e-3, 0.1]}


def create(seed, **parameters):
    return GaussianNB(**parameters)
