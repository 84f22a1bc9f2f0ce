"""Interpolated Kneser-Ney smoothing of n-grams of cells, with three discounts (Chen and Goodman 1998, TR-10-98, equations 21-27).

A cell's context is the `n` - 1 cells before it in the order of the piece (the step's higher voices, then the step before, the
lowest voice first), and which voice it is. With `context: blind` the model is not told the voice; with `context: own` it reads
the cells of that voice alone, so that n - 1 cells are as many steps. Before the first cell stand marks of the beginning. The
longest n-grams are counted by how often they occur, shorter ones by how many different cells precede them. Discounts are
clamped: where counts of counts are odd, as of a tiny corpus, they would be negative, or take all of a count. The result is
mixed with the uniform distribution: no cell has probability 0.
"""

from itertools import pairwise

import numpy as np

from pipelines.tasks.sequences.fit.cells import BEGIN, PITCHES, transposed

CONTEXTS = ("all", "blind", "own")
UNIFORM = 1e-4
"""Share of the uniform distribution."""
LONGEST = 64
MOST = 0.95
"""Share of a count that a discount takes at most."""
WIDTH = PITCHES + 1  # of a cell in a key: the mark of the beginning is one too


def fit(train, validation, options, seed):
    """The cells of the training pieces and their lengths: the tables of counts follow from them (`build`). Raises `ValueError`
    for n-grams that are too long to be counted order by order."""
    if options["n"] > LONGEST:
        raise ValueError(
            f"n is {options['n']}: kneser_ney counts n-grams of at most {LONGEST} cells; ngram_mlp and ngram_cnn read longer ones"
        )
    pieces = transposed(train, options["transpose"])
    cells = np.concatenate([piece.ravel() for piece in pieces])
    voices = pieces[0].shape[1]
    apart, told = voices if options["context"] == "own" else 1, options["context"] != "blind"
    model = {"cells": cells, "lengths": np.array([len(piece) for piece in pieces]), "n": np.array(options["n"])}
    model |= {"voices": np.array(voices), "apart": np.array(apart), "told": np.array(told)}
    return model, {"n-grams": int(sum(len(keys) for keys, *_ in build(model, options)["grams"]))}


def build(arrays, options):
    """`{"n", "voices", "apart", "told", "contexts": keys of each context length, "grams": (keys, counts) of each order, "totals":
    of each order's contexts, "back_off": the share each context leaves to the next shorter one, "discounts"}`.

    A context is numbered: that of length 0 by its voice, a longer one by its place among the keys (number of the context without
    its oldest cell, oldest cell). An n-gram's key is (number of its context, cell).
    """
    n, voices, apart, told = int(arrays["n"]), int(arrays["voices"]), int(arrays["apart"]), bool(arrays["told"])
    ends = np.cumsum(arrays["lengths"] * voices)
    pieces = np.split(arrays["cells"].reshape(-1), ends[:-1])
    cells = np.concatenate(pieces).astype(np.int64)
    older = [_older(pieces, back * apart) for back in range(1, n)]
    voice = _voices(len(cells), voices, told)
    contexts, number = [], [voice]
    for before in older:
        keys, ids = np.unique(number[-1] * WIDTH + before, return_inverse=True)
        contexts.append(keys)
        number.append(ids)
    grams, totals, back_off, discounts = [], [], [], []
    for order in range(1, n + 1):
        key = number[order - 1] * WIDTH + cells
        if order < n:  # by how many different cells precede it
            keys, counts = np.unique(np.unique(key * WIDTH + older[order - 1]) // WIDTH, return_counts=True)
        else:
            keys, counts = np.unique(key, return_counts=True)
        n_contexts = len(contexts[order - 2]) if order > 1 else voices if told else 1
        context = keys // WIDTH
        discount = _discounts(counts)
        total = np.bincount(context, weights=counts, minlength=n_contexts)
        left = np.bincount(context, weights=discount[np.minimum(counts, 3)], minlength=n_contexts)
        grams.append((keys, counts - discount[np.minimum(counts, 3)]))
        totals.append(total)
        back_off.append(left / total)
        discounts.append(discount[1:])
    return {
        "n": n,
        "voices": voices,
        "apart": apart,
        "told": told,
        "contexts": contexts,
        "grams": grams,
        "totals": totals,
        "back_off": back_off,
        "discounts": discounts,
    }


def cell_nats(model, pieces):
    """`(steps, voices)` of each piece: minus the log-probability of each cell, given all before it."""
    found = []
    for piece in pieces:
        cells = piece.ravel().astype(np.int64)
        older = [_older([cells], back * model["apart"]) for back in range(1, model["n"])]
        numbers = _numbers(model, _voices(len(cells), model["voices"], model["told"]), older)
        found.append(-np.log(_probabilities(model, numbers, cells[:, None])[:, 0]).reshape(piece.shape))
    return found


def begin(model, n_pieces, rng):
    """`ask(previous) -> (n_pieces, 128)` log-probabilities of the next cell: of the first without, then after the cells
    `previous` `(n_pieces,)`."""
    apart, most = model["apart"], (model["n"] - 1) * model["apart"]
    older = [np.full(n_pieces, BEGIN)] * most
    every, place = np.tile(np.arange(PITCHES), (n_pieces, 1)), -1

    def ask(previous=None):
        nonlocal older, place
        place += 1
        if previous is not None:
            older = [previous, *older][:most]
        voice = np.full(n_pieces, place % model["voices"] if model["told"] else 0)
        return np.log(_probabilities(model, _numbers(model, voice, older[apart - 1 :: apart]), every))

    return ask


def _voices(n_cells, voices, told):
    """The voice of each cell, 0 for all where the model is not told it."""
    return np.arange(n_cells) % voices if told else np.zeros(n_cells, np.int64)


def _older(pieces, back):
    """The cell `back` places before each, or the mark of the beginning."""
    return np.concatenate([np.append(np.full(min(back, len(piece)), BEGIN), piece[:-back]) for piece in pieces]).astype(
        np.int64
    )


def _discounts(counts):
    """(0, D1, D2, D3+) from how many n-grams occur once, twice, three and four times."""
    seen = [max(int((counts == times).sum()), 1) for times in (1, 2, 3, 4)]
    y = seen[0] / (seen[0] + 2 * seen[1])
    each = [times - (times + 1) * y * after / before for times, (before, after) in enumerate(pairwise(seen), 1)]
    return np.array([0.0, *(float(np.clip(d, 0, MOST * times)) for times, d in enumerate(each, 1))])


def _numbers(model, voice, older):
    """The number of each cell's context of each length, -1 where it is not in the training data."""
    numbers = [voice]
    for keys, before in zip(model["contexts"], older, strict=True):
        place, known = _find(keys, numbers[-1] * WIDTH + before)
        numbers.append(np.where(known & (numbers[-1] >= 0), place, -1))
    return numbers


def _probabilities(model, numbers, cells):
    """`(m, k)`: of each of the `cells` `(m, k)` after the contexts `numbers`."""
    found = np.full(cells.shape, 1 / PITCHES)
    for number, (keys, counts), total, left in zip(
        numbers, model["grams"], model["totals"], model["back_off"], strict=True
    ):
        there = number[:, None] >= 0
        place, known = _find(keys, number[:, None] * WIDTH + cells)
        own = np.where(known & there, counts[place], 0) / total[number][:, None]
        found = np.where(there, own + left[number][:, None] * found, found)
    return (1 - UNIFORM) * found + UNIFORM / PITCHES


def _find(keys, sought):
    place = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
    return place, keys[place] == sought
