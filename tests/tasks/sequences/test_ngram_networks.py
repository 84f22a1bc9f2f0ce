"""n-gram networks read exactly n - 1 cells, for any n: one, less than a step, and more than a piece has."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_corpus import pieces

from pipelines.tasks.sequences.fit import networks, ngrams
from pipelines.tasks.sequences.fit.cells import BEGIN
from pipelines.tasks.sequences.models import ngram_cnn, ngram_mlp

VOICES = 4

MODULES = (ngram_cnn, ngram_mlp)


def network(module, n):
    torch.manual_seed(n)
    return module.Network(n, VOICES, hidden=8, embedding=4, dropout=0.0).eval()


@given(st.integers(0, 2000))
def test_layers_reach_just_the_context(context):
    width, distances = ngram_cnn.distances(context, VOICES)
    assert width + VOICES * sum(distances) == max(context, 1) and width < 2 * VOICES
    reach = 1  # steps that the layers so far see: no step between may be left out
    for distance in distances:
        assert distance <= reach
        reach += distance


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("n", [1, 2, 4, 5, 6, 9, 10, 23])
def test_a_cell_depends_on_the_cells_before_it_that_the_context_holds_and_on_no_other(module, n):
    """By the gradient of one place's logits in the embedded cells, through copies of the embedding for every place."""
    model, steps, place = network(module, n), 9, 33
    found = []
    model.embed.register_forward_hook(lambda _, inputs, output: found.append((inputs[0], output.requires_grad_())))
    cells = torch.arange(40, 40 + steps * VOICES).reshape(1, steps, VOICES)  # every cell another pitch
    before = torch.full_like(cells, BEGIN)
    logits = model(before, torch.zeros(1, steps, dtype=torch.int64), cells)[0, place // VOICES, place % VOICES]
    used = set()
    for inputs, output in found:
        gradient = torch.autograd.grad(logits.square().sum(), output, allow_unused=True, retain_graph=True)[0]
        if gradient is not None:
            used |= set(inputs.broadcast_to(output.shape[:2])[gradient.abs().sum(dim=-1) > 0].tolist())
    assert used - {BEGIN} == set(range(40 + place - (n - 1), 40 + place))


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("n", [1, 3, 10, 100, 1000])
def test_cell_by_cell_is_the_whole_piece(module, n):
    """The n = 1000 reaches far before the beginning of a piece of 30 steps: marks stand there."""
    model, piece = network(module, n), np.resize(pieces(1, 3)[0], (30, VOICES))
    losses = networks.cell_nats(model, [piece])[0]
    ask, previous, found = module.begin(model, 1, None), None, []
    for cell in piece.ravel():
        found.append(-ask(previous)[0, cell])
        previous = np.array([cell])
    np.testing.assert_allclose(found, losses.ravel(), rtol=1e-4, atol=1e-5)


def test_excerpts_are_as_long_as_the_context():
    recipe = ngram_cnn.RECIPES["tiny"]
    assert ngrams.with_context(recipe, 32, VOICES) == recipe
    long = ngrams.with_context(recipe, 999, VOICES)
    assert (long["steps"], long["batch"]) == (250, 4) and recipe["steps"] == 64
