"""A perceptron with one hidden layer on the frames around the one that is labelled."""

from torch import nn


def create(n_inputs: int, n_classes: int, options) -> nn.Module:
    """`(batch, n_inputs)` -> logits `(batch, n_classes)`."""
    return nn.Sequential(
        nn.Linear(n_inputs, options["hidden"]), nn.ReLU(), nn.Dropout(0.2), nn.Linear(options["hidden"], n_classes)
    )
