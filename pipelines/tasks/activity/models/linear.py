"""A logistic regression of each class on the frames around the one that is labelled."""

from torch import nn


def create(n_inputs: int, n_classes: int, options) -> nn.Module:
    """`(batch, n_inputs)` -> logits `(batch, n_classes)`."""
    return nn.Linear(n_inputs, n_classes)
