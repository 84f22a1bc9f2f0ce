"""What is asked of any fitted model, whatever it can answer: its loss, by the kind of number that it is, and new pieces.

A model's file has `fit` and `build`, and what of these it can do:

| function | says |
| --- | --- |
| `cell_nats(model, pieces)` | `(steps, voices)` of each piece: minus the log-probability of each cell, given all before it |
| `bounds(model, pieces)` | `(pieces, 2)`, whose sum is at least a piece's nats: a model whose likelihood has only a bound |
| `begin(model, n_pieces, rng)` | a function that is told a cell and gives the log-probabilities of the next (`sampling.py`) |
| `draw(model, n_pieces, steps, rng)` | `(n_pieces, steps, voices)`: it writes whole pieces, and cannot go on from cells |
| `latent(model, pieces)` | what its latent units are, for the page |

Without `cell_nats` and `bounds` a model has no likelihood, and no number stands for one.
"""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from pipelines.tasks.sequences.fit import sampling

EXACT, BOUND, NONE = "exact", "bound", "none"


def likelihood(module: ModuleType) -> str:
    """Which kind of loss a model's file gives."""
    return EXACT if hasattr(module, "cell_nats") else BOUND if hasattr(module, "bounds") else NONE


def losses(module: ModuleType, model: Any, pieces: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """`{"nats", "bound"}`, each `(pieces,)`: nats of each piece, and an upper bound on them; NaN for what the model has not."""
    found = {"nats": np.full(len(pieces), np.nan), "bound": np.full(len(pieces), np.nan)}
    if likelihood(module) == EXACT:
        found["nats"] = np.array([each.sum() for each in module.cell_nats(model, pieces)])
    elif likelihood(module) == BOUND:
        found["bound"] = module.bounds(model, pieces).sum(axis=1)
    return found


def beginning(module: ModuleType, model: Any) -> Callable | None:
    """`begin(n_pieces, rng)` of a model that can be asked cell by cell, else None."""
    if not hasattr(module, "begin"):
        return None
    return lambda n_pieces, rng: module.begin(model, n_pieces, rng)


def written(
    module: ModuleType, model: Any, n_pieces: int, steps: int, voices: int, seed: int, options: Mapping
) -> np.ndarray:
    """`(n_pieces, steps, voices)` uint8: new pieces, with the options' `temperature` and `top_p` where cells are sampled."""
    if begin := beginning(module, model):
        given = np.full((steps, voices), sampling.FREE)
        return sampling.sample(begin, given, n_pieces, seed, options["temperature"], 0, options["top_p"])
    return module.draw(model, n_pieces, steps, np.random.default_rng(seed))
