"""Siamese network (Bromley et al. 1993): one recurrent encoder reads both windows, A from its beginning and B from its end.

So the last it reads of either is the seam. From the two vectors u and v a small network computes the log-odds that B continues A,
from |u - v| and u * v. Every epoch cuts the training pieces at another quarter, draws other negatives, and takes other keys.
"""

import numpy as np
import torch
from torch import nn

from pipelines.tasks.continuation.fit import curves, networks, pairs
from pipelines.tasks.continuation.fit.windows import Windows, cut
from pipelines.training.seeded import one_thread, seeded

EMBEDDING, HIDDEN, DROPOUT, RATE = 16, 96, 0.2, 0.004
QUERIES = 48  # A of a batch


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = networks.Steps(EMBEDDING)
        self.read = nn.GRU(self.steps.width, HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.answer = nn.Sequential(nn.Linear(2 * HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, 1))

    def encode(self, grids, backwards):
        """`(n, HIDDEN)` of windows `(n, steps, 8)`."""
        phase = (torch.arange(grids.shape[1]) % networks.QUARTER).expand(grids.shape[:2])
        steps = self.steps(grids, phase)
        return self.dropout(self.read(self.dropout(steps.flip(1) if backwards else steps))[1][-1])

    def compare(self, u, v):
        """Log-odds `(...)` of vectors `(..., HIDDEN)`."""
        return self.answer(torch.cat([(u - v).abs(), u * v], dim=-1))[..., 0]


def fit(train, validation, options, seed, folder):
    with seeded(seed):
        network = Network()
        a, b = validation.grids()
        figures = networks.train(
            network,
            _losses(network, train, options["negatives"] == "balanced", np.random.default_rng(seed)),
            lambda: 1 - curves.mean_roc_auc(validation.kind, _score(network, a, b)),
            options["updates"],
            RATE,
        )
        networks.save(network, folder)
        return figures


def load(folder, options):
    network = networks.load(Network(), folder)
    return lambda a, b: _score(network, a, b)


def _losses(network, train, balanced, rng):
    """Of batch after batch without end: the mean over the kinds of the cross-entropy of a continuation and one other window, and
    the cross-entropy of A's continuation among all those of the batch."""
    whole, steps = networks.pieces(train), train.grids.shape[1]
    while True:
        first = networks.QUARTER * rng.integers(steps // networks.QUARTER)
        drawn = pairs.draw(_cut_at(train, whole, first), balanced, rng)
        n = int(drawn.true.sum())
        order = rng.permutation(n)
        a, b = drawn.grids()
        b = b.reshape(-1, n, *b.shape[1:])
        for place in range(0, n, QUERIES):
            rows = order[place : place + QUERIES]
            moved = networks.in_other_keys(np.concatenate([a[rows], *b[:, rows]], axis=1), rng)
            x, *others = networks.tensor(moved).split(steps, dim=1)
            u = network.encode(x, False)
            v = network.encode(torch.cat(others), True).unflatten(0, (len(others), -1))
            found = network.compare(u.expand_as(v), v)
            each = nn.functional.softplus(-found[:1]).mean() + nn.functional.softplus(found[1:]).mean()
            among = network.compare(*torch.broadcast_tensors(u[:, None], v[0][None]))
            yield each / 2 + nn.functional.cross_entropy(among, torch.arange(len(rows)))


def _cut_at(train, whole, first):
    """The training windows, from step `first` of each piece on."""
    parts = [cut(piece[first:], train.grids.shape[1]) for piece in whole]
    lengths = [len(part) for part in parts]
    return Windows(
        clips=train.clips,
        grids=np.concatenate(parts),
        piece=np.repeat(np.arange(len(parts)), lengths),
        place=np.concatenate([np.arange(length) for length in lengths]),
        left_out=train.left_out,
    )


@one_thread()
@torch.inference_mode()
def _score(network, a, b):
    u, v = (_encoded(network, *networks.unique(grids), backwards) for grids, backwards in ((a, False), (b, True)))
    return network.compare(u, v).double().numpy()


def _encoded(network, grids, number, backwards):
    parts = [network.encode(part, backwards) for part in networks.tensor(grids).split(networks.AT_ONCE)]
    return torch.cat(parts)[torch.from_numpy(number)]
