"""A language model's likelihood: how much likelier B is after A than alone, in nats a step.

An LSTM (Hochreiter and Schmidhuber 1997) over steps models the pitches of the four voices jointly, the highest first (chain
rule), given all steps before. Training excerpts begin anywhere in a piece, at a quarter, and the model is told nothing of what
stands before them; so it knows the likelihood of a window by itself, log p(B), as well as that after another, log p(B | A). Their
difference is the pointwise mutual information of A and B (Church and Hanks 1990). Models of the family `sequences` learn the
beginning of a piece as that, and not what log p(B) of a window from its middle is.
"""

import numpy as np
import torch
from torch import nn

from pipelines.tasks.continuation.fit import networks
from pipelines.tasks.continuation.fit.windows import VOICES
from pipelines.training.seeded import one_thread, seeded

EMBEDDING, HIDDEN, DROPOUT, RATE = 16, 192, 0.1, 0.006
BATCH = 32
BEGIN = networks.PITCHES
"""What stands for the step before an excerpt."""


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = networks.Steps(EMBEDDING)
        self.read = nn.LSTM(self.steps.width, HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.above = nn.ModuleList(nn.Embedding(networks.PITCHES, HIDDEN) for _ in range(VOICES * (VOICES - 1) // 2))
        self.own = nn.ModuleList(nn.Linear(HIDDEN, HIDDEN) for _ in range(VOICES))
        self.out = nn.ModuleList(nn.Linear(HIDDEN, networks.PITCHES) for _ in range(VOICES))
        for table in self.above:
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, steps, before, memory=None):
        """(nats of each step `(n, steps)`, memory after the last) of steps `(n, steps, 8)`. before: `(n, 1, 8)`, the step before
        the first; memory: after that one, None at the beginning of an excerpt."""
        phase = (torch.arange(steps.shape[1]) % networks.QUARTER).expand(steps.shape[:2])
        read = self.dropout(self.steps(torch.cat([before, steps[:, :-1]], dim=1), phase))
        states, memory = self.read(read, memory)
        states = self.dropout(states)
        nats, table = torch.zeros(steps.shape[:2]), 0
        for voice in range(VOICES):
            found = self.own[voice](states)
            for upper in range(voice):
                found = found + self.above[table](steps[..., upper])
                table += 1
            logits = self.out[voice](self.dropout(torch.relu(found)))
            nats = nats + nn.functional.cross_entropy(logits.transpose(1, 2), steps[..., voice], reduction="none")
        return nats, memory


def fit(train, validation, options, seed, folder):
    with seeded(seed):
        network = Network()
        a, b = (networks.tensor(grids[validation.true]) for grids in validation.grids())
        both = torch.cat([a, b], dim=1)
        figures = networks.train(
            network,
            _losses(network, train, np.random.default_rng(seed)),
            lambda: _nats(network, both)[0].mean().item(),
            options["updates"],
            RATE,
        )
        networks.save(network, folder)
        return figures | {"validation nats a step": round(min(point[2] for point in figures["curve"]), 4)}


def load(folder, options):
    network = networks.load(Network(), folder)
    return lambda a, b: _score(network, a, b, options["likelihood"] == "gain")


def _losses(network, train, rng):
    pieces = networks.pieces(train)
    steps = 2 * train.grids.shape[1]
    weights = np.array([len(piece) for piece in pieces], float)
    while True:
        rows = rng.choice(len(pieces), BATCH, p=weights / weights.sum())
        places = [networks.QUARTER * rng.integers((len(pieces[row]) - steps) // networks.QUARTER + 1) for row in rows]
        drawn = np.stack([pieces[row][first : first + steps] for row, first in zip(rows, places, strict=True)])
        drawn = networks.tensor(networks.in_other_keys(drawn, rng))
        yield network(drawn, _begin(drawn))[0].mean()


@one_thread()
@torch.inference_mode()
def _score(network, a, b, gain):
    """`(n,)`, nats a step. Each A, and each B by itself, is read once."""
    before, of_a = networks.unique(a)
    after, of_b = networks.unique(b)
    before, after = networks.tensor(before), networks.tensor(after)
    _, (hidden, cell) = _nats(network, before)
    alone = _nats(network, after)[0].mean(dim=1)
    found = []
    for first in range(0, len(a), networks.AT_ONCE):
        rows = [torch.from_numpy(number[first : first + networks.AT_ONCE]) for number in (of_a, of_b)]
        memory = hidden[:, rows[0]], cell[:, rows[0]]
        nats = network(after[rows[1]], before[rows[0], -1:], memory)[0].mean(dim=1)
        found.append(alone[rows[1]] - nats if gain else -nats)
    return torch.cat(found).double().numpy()


def _nats(network, windows):
    """(nats `(n, steps)`, memory after the last step) of windows by themselves."""
    parts = [network(part, _begin(part)) for part in windows.split(networks.AT_ONCE)]
    memory = tuple(torch.cat([part[1][which] for part in parts], dim=1) for which in (0, 1))
    return torch.cat([part[0] for part in parts]), memory


def _begin(steps):
    """`(n, 1, 8)`: the mark of the beginning, no note begins."""
    found = torch.zeros_like(steps[:, :1])
    found[..., :VOICES] = BEGIN
    return found
