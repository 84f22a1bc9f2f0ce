"""Unigram: each voice's pitches by how often training has them, whatever came before (`floor.py`).

The floor of all models: its loss in training is the sum of the voices' entropies, but for the mixture with the uniform
distribution.
"""

import numpy as np

from pipelines.tasks.sequences.fit import floor
from pipelines.tasks.sequences.fit.cells import transposed


def fit(train, validation, options, seed):
    counts = floor.counted(transposed(train, options["transpose"]))
    return {"counts": counts}, {"pitches": int((counts > 0).sum())}


def build(arrays, options):
    """`(voices, 128)` log-probabilities."""
    return floor.log_probabilities(arrays["counts"])


cell_nats = floor.cell_nats


def begin(model, n_pieces, rng):
    """`ask(previous) -> (n_pieces, 128)` log-probabilities of the next cell."""
    place = -1

    def ask(previous=None):
        nonlocal place
        place += 1
        return np.tile(model[place % len(model)], (n_pieces, 1))

    return ask
