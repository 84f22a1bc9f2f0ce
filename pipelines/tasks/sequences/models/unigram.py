"""Unigram: each voice's pitches by how often training has them, whatever came before; mixed with the uniform distribution.

The floor of all models: its loss in training is the sum of the voices' entropies, but for the mixture.
"""

import numpy as np

from pipelines.tasks.sequences.cells import PITCHES, VOICES, transposed

UNIFORM = 1e-4


def fit(train, validation, options, seed):
    cells = np.concatenate(transposed(train, options["transpose"]))
    counts = np.stack([np.bincount(cells[:, voice], minlength=PITCHES) for voice in range(VOICES)])
    return {"counts": counts}, {"pitches": int((counts > 0).sum())}


def build(arrays, options):
    """`(4, 128)` log-probabilities."""
    shares = arrays["counts"] / arrays["counts"].sum(axis=1, keepdims=True)
    return np.log((1 - UNIFORM) * shares + UNIFORM / PITCHES)


def cell_nats(model, pieces):
    """`(steps, 4)` of each piece: minus the log-probability of each cell."""
    return [-model[np.arange(VOICES), piece] for piece in pieces]


def begin(model, n_pieces):
    """`ask(previous) -> (n_pieces, 128)` log-probabilities of the next cell."""
    place = -1

    def ask(previous=None):
        nonlocal place
        place += 1
        return np.tile(model[place % VOICES], (n_pieces, 1))

    return ask
