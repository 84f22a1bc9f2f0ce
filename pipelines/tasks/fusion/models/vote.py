"""Each run votes for its likeliest class; the mean of the probabilities decides between classes with equally many votes."""

import numpy as np


def fit(answers):
    return {}


def fuse(probabilities, parameters):
    """(votes + mean) / (voters + 1): the mean, below 1, cannot outweigh a vote."""
    likeliest = np.nan_to_num(probabilities, nan=-1.0).argmax(axis=2)
    there = ~np.isnan(probabilities).any(axis=2)
    votes = (likeliest[:, :, None] == np.arange(probabilities.shape[2])) & there[:, :, None]
    total = votes.sum(axis=0) + np.nanmean(probabilities, axis=0)
    return total / total.sum(axis=1, keepdims=True)
