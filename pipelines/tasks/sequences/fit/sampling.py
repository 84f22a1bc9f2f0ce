"""Sample pieces of a model, cell by cell in the order in which it reads them: temperature, top-k, top-p, a primer, given cells.

A model's `begin(model, n_pieces, rng)` gives a function that is asked for the next cell's log-probabilities and told the cell
that was chosen; what it keeps from one cell to the next (a state, keys and values) is its own. The same seed gives the same
pieces.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import softmax

FREE = -1
"""A cell that is sampled."""


def sample(
    begin: Callable,
    given: np.ndarray,
    n_pieces: int,
    seed: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> np.ndarray:
    """`(n_pieces, steps, voices)` uint8.

    begin: `begin(n_pieces, rng)` of the model. given: `(steps, voices)`, or for each piece its own, `(n_pieces, steps, voices)`:
    the pitch of a cell, or `FREE`. A given cell is taken as it is and conditions those after it; cells before it are sampled
    without knowledge of it (`infill` has it). temperature: divides the log-probabilities. top_k, top_p: of each distribution
    the k likeliest cells, and the fewest that have probability p together (Holtzman et al. 2020, arXiv 1904.09751); 0 and 1: all.
    """
    return _sampled(begin, given, n_pieces, np.random.default_rng(seed), temperature, top_k, top_p)[0]


def infill(
    begin: Callable,
    given: np.ndarray,
    n_candidates: int,
    seed: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> np.ndarray:
    """`(steps, voices)` uint8: the free cells of `given`, sampled with regard to the given cells after them too.

    Of `n_candidates` samples one is drawn by the probability that its free cells leave to the given ones (sampling-importance-
    resampling, Rubin 1987). It approaches the model's own distribution of the free cells as candidates become many.
    """
    rng = np.random.default_rng(seed)
    found, weights = _sampled(begin, given, n_candidates, rng, temperature, top_k, top_p)
    return found[rng.choice(n_candidates, p=softmax(weights))]


def _sampled(begin, given, n_pieces, rng, temperature, top_k, top_p) -> tuple[np.ndarray, np.ndarray]:
    """(pieces, the log-probability of the given cells of each)."""
    shape = (n_pieces, *given.shape[-2:])
    given = np.broadcast_to(given, shape).reshape(n_pieces, -1)
    ask, previous = begin(n_pieces, rng), None
    found, weights = np.empty(given.shape, np.int64), np.zeros(n_pieces)
    for place, cells in enumerate(given.T):
        logs, drawn = ask(previous), rng.random(n_pieces)
        free = cells == FREE
        previous = (
            np.where(free, _drawn(filtered(logs, temperature, top_k, top_p), drawn), cells) if free.any() else cells
        )
        weights += np.where(free, 0.0, logs[np.arange(n_pieces), np.where(free, 0, cells)])
        found[:, place] = previous
    return found.reshape(shape).astype(np.uint8), weights


def filtered(logs: np.ndarray, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> np.ndarray:
    """Probabilities `(n, values)` from log-probabilities, each row adding up to 1."""
    scaled = np.asarray(logs, np.float64) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    order = np.argsort(-shares, axis=1, kind="stable")
    ranked = np.take_along_axis(shares, order, axis=1)
    out = np.cumsum(ranked, axis=1) - ranked >= top_p
    out[:, 0] = False  # the likeliest stays
    if top_k:
        out[:, top_k:] = True
    np.put_along_axis(shares, order, np.where(out, 0.0, ranked), axis=1)
    return shares / shares.sum(axis=1, keepdims=True)


def _drawn(shares: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """The cell in each row at which the cumulative probability passes `uniform`; never one of probability 0."""
    edges = np.cumsum(shares, axis=1)
    return np.argmax(edges > (uniform * edges[:, -1])[:, None], axis=1)
