"""The loop of families' networks: it learns a line, keeps the best weights, and stops where a loss is none."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from pipelines.training import loop

SETTINGS = {"rate": 0.1, "decay": 0.0, "betas": (0.9, 0.99)}


def squares(network):
    """Errors of y = 2 x + 1, batch after batch."""
    x = torch.linspace(-1, 1, 9)[:, None]
    return ((network(x) - (2 * x + 1)).square().mean() for _ in itertools.count())


def test_it_finds_the_least_squares():
    network = nn.Linear(1, 1)
    figures = loop.train(network, squares(network), lambda: next(squares(network)).item(), updates=200, **SETTINGS)
    assert [network.weight.item(), network.bias.item()] == pytest.approx([2, 1], abs=0.01) and not network.training
    places, training, validation = zip(*figures["curve"], strict=True)
    assert list(places) == [100, 120, 140, 160, 180, 200] and training[0] > training[-1] and validation[-1] < 1e-3


@pytest.mark.parametrize("updates", [1, 5, 12])
def test_it_keeps_the_weights_of_the_lowest_validation_loss(updates):
    """The second time that validation is asked is the best, whatever the weights."""
    network, seen, asked = nn.Linear(1, 1), [], itertools.count()

    def validation():
        assert not network.training and not torch.is_grad_enabled()
        seen.append(network.weight.item())
        return float(abs(next(asked) - 1))

    figures = loop.train(network, squares(network), validation, updates=updates, **SETTINGS)
    best = min(1, len(seen) - 1)
    assert network.weight.item() == seen[best] and figures["best update"] == figures["curve"][best][0]
    assert len(seen) == len(figures["curve"]) <= loop.CHECKS and figures["curve"][-1][0] == updates


def test_a_loss_that_is_none():
    network = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="validation loss is nan after 5 of 10 updates: the training diverged"):
        loop.train(network, squares(network), lambda: np.nan, updates=10, **SETTINGS)
