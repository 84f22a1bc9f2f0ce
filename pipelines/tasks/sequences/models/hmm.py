"""Hidden Markov model over steps: a state emits the cells of a step, each from a distribution of its own.

Given the state, voices are independent: emissions are `(states, voices, 128)`, one table a voice, and the step's emission is
their product. (One matrix for all columns, as some libraries fit it, is another and weaker model.) Fitted by
expectation-maximisation (Rabiner 1989) from a random start, until validation no longer improves; emissions are mixed with the
voice's unigram.
"""

import numpy as np
from scipy.sparse import csr_array

from pipelines.tasks.sequences.fit.cells import PITCHES, transposed

ROUNDS = 30
PIECES_AT_ONCE = 256
PRIOR = 0.1
"""Counted beside each state's emissions, shared out by the voice's unigram; and beside its transitions, by all states alike."""
UNIFORM = 1e-4
LEAST_GAIN = 0.01
"""Nats a step of the validation loss; a smaller gain ends the fit."""


def fit(train, validation, options, seed):
    pieces = transposed(train, options["transpose"])
    rng, n_states = np.random.default_rng(seed), options["states"]
    cells = np.concatenate(pieces)
    voices = cells.shape[1]
    unigram = np.stack([np.bincount(cells[:, voice], minlength=PITCHES) for voice in range(voices)]) / len(cells)
    unigram = (1 - UNIFORM) * unigram + UNIFORM / PITCHES
    arrays = {
        "initial": np.full(n_states, 1 / n_states),
        "transitions": rng.dirichlet(np.full(n_states, 1.0), n_states) * 0.2 + np.eye(n_states) * 0.8,
        "emissions": _normalised(unigram * rng.gamma(1.0, size=(n_states, voices, PITCHES))),
    }
    best = None
    for rounds in range(1, ROUNDS + 1):
        arrays = _maximised(_expected(arrays, pieces), unigram)
        loss = float(np.concatenate(cell_nats(build(arrays, options), validation)).sum(axis=1).mean())
        if best is not None and loss > best[0] - LEAST_GAIN:
            break
        best = loss, rounds, arrays
    return best[2], {"validation nats a step": round(best[0], 4), "rounds": best[1]}


def build(arrays, options):
    return arrays | {"log_emissions": np.log((1 - UNIFORM) * arrays["emissions"] + UNIFORM / PITCHES)}


def cell_nats(model, pieces):
    """`(steps, voices)` of each piece: minus the log-probability of each cell, given all before it."""
    found = []
    for piece in pieces:
        belief, nats = model["initial"], np.empty(piece.shape)
        likelihoods = np.exp(_cells(model["log_emissions"], piece))
        for step, each in enumerate(likelihoods):
            for voice in range(piece.shape[1]):
                joint = belief * each[:, voice]
                nats[step, voice] = -np.log(joint.sum())
                belief = joint / joint.sum()
            belief = belief @ model["transitions"]
        found.append(nats)
    return found


def begin(model, n_pieces, rng):
    """`ask(previous) -> (n_pieces, 128)` log-probabilities of the next cell."""
    belief, place, emissions = np.tile(model["initial"], (n_pieces, 1)), -1, np.exp(model["log_emissions"])
    voices = emissions.shape[1]

    def ask(previous=None):
        nonlocal belief, place
        if previous is not None:
            belief = belief * emissions[:, place % voices, :][:, previous].T
            belief = belief / belief.sum(axis=1, keepdims=True)
            if place % voices == voices - 1:
                belief = belief @ model["transitions"]
        place += 1
        return np.log(belief @ emissions[:, place % voices, :])

    return ask


def _cells(log_emissions, piece):
    """`(steps, states, voices)`."""
    return np.stack([log_emissions[:, voice, piece[:, voice]].T for voice in range(piece.shape[1])], axis=2)


def _expected(arrays, pieces):
    """Expected counts of first states, transitions and emissions."""
    longest_first = sorted(pieces, key=len, reverse=True)
    parts = [longest_first[n : n + PIECES_AT_ONCE] for n in range(0, len(pieces), PIECES_AT_ONCE)]
    return [sum(counts) for counts in zip(*(_expected_of(arrays, part) for part in parts), strict=True)]


def _expected_of(arrays, pieces):
    """Scaled forward-backward over pieces side by side, the longest first."""
    model, n_states, voices = build(arrays, None), len(arrays["initial"]), pieces[0].shape[1]
    lengths = np.array([len(piece) for piece in pieces])
    alive = [int(np.searchsorted(-lengths, -step)) for step in range(1, lengths[0] + 1)]  # pieces that reach a step
    padded = np.zeros((lengths[0], len(pieces), voices), np.int64)
    for row, piece in enumerate(pieces):
        padded[: len(piece), row] = piece
    logs = sum(model["log_emissions"][:, voice].T[padded[:, :, voice]] for voice in range(voices))
    likelihoods = np.exp(logs - logs.max(axis=2, keepdims=True))
    shares = np.zeros((lengths[0], len(pieces), n_states))  # of each state: given the past, then given the whole piece
    belief = np.tile(arrays["initial"], (len(pieces), 1))
    for step, n in enumerate(alive):
        belief = belief[:n] * likelihoods[step, :n]
        belief /= belief.sum(axis=1, keepdims=True)
        shares[step, :n] = belief
        belief = belief @ arrays["transitions"]
    moves = np.zeros((n_states, n_states))
    later = np.ones((len(pieces), n_states))  # the backward variable of each piece's step, scaled
    for step in range(len(alive) - 1, -1, -1):
        n = alive[step]
        if step:
            ahead, before = later[:n] * likelihoods[step, :n], shares[step - 1, :n]
            back = ahead @ arrays["transitions"].T
            moves += (before / (before * back).sum(axis=1, keepdims=True)).T @ ahead
        share = shares[step, :n] * later[:n]
        shares[step, :n] = share / share.sum(axis=1, keepdims=True)
        if step:
            later[:n] = back / back.sum(axis=1, keepdims=True)
    flat = shares.reshape(-1, n_states)  # 0 behind a piece's end
    places = np.arange(len(flat))
    emitted = [
        csr_array((np.ones(len(flat)), (padded[:, :, voice].ravel(), places)), shape=(PITCHES, len(flat))) @ flat
        for voice in range(voices)
    ]
    return shares[0].sum(axis=0), moves * arrays["transitions"], np.stack(emitted).transpose(2, 0, 1)


def _maximised(expected, unigram):
    first, moves, emitted = expected
    n_states = len(first)
    return {
        "initial": (first + PRIOR) / (first + PRIOR).sum(),
        "transitions": _normalised(moves + PRIOR / n_states),
        "emissions": _normalised(emitted + PRIOR * unigram),
    }


def _normalised(values):
    return values / values.sum(axis=-1, keepdims=True)
