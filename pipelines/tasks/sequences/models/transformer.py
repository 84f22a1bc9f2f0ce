"""Transformer over steps with relative attention (Vaswani et al. 2017; Shaw et al. 2018; Huang et al. 2019, arXiv 1809.04281).

A step's vector holds its cells (`chords.py`). Each layer: masked attention, then a feed-forward network, both with layer
normalisation before them. A query's product with a key is added to its product with an embedding of their distance, which is one
for all distances from `REACH` on; positions themselves are not told. Generation keeps keys and values.
"""

import torch
from torch import nn

from pipelines.tasks.sequences.fit import chords, networks
from pipelines.training.seeded import seeded

REACH = 96
PRESETS = {
    "tiny": {"hidden": 128, "layers": 2, "heads": 4, "embedding": 16, "dropout": 0.1},
    "cpu": {"hidden": 192, "layers": 3, "heads": 6, "embedding": 32, "dropout": 0.15},
    "cpu_long": {"hidden": 192, "layers": 3, "heads": 6, "embedding": 32, "dropout": 0.2},
    "gpu": {"hidden": 384, "layers": 6, "heads": 8, "embedding": 64, "dropout": 0.3},
}
RECIPES = {
    "tiny": {"updates": 300, "batch": 16, "steps": 64, "rate": 0.003, "decay": 0.01},
    "cpu": {"updates": 1000, "batch": 16, "steps": 96, "rate": 0.002, "decay": 0.01},
    "cpu_long": {"updates": 2600, "batch": 16, "steps": 96, "rate": 0.002, "decay": 0.02},
    "gpu": {"updates": 10000, "gpu": True, "batch": 64, "steps": 256, "rate": 0.001, "decay": 0.01},
}


class Layer(nn.Module):
    def __init__(self, hidden, heads, dropout):
        super().__init__()
        self.heads = heads
        self.before = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(2))
        self.project, self.join = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.distance = nn.Parameter(torch.zeros(heads, REACH + 1, hidden // heads))
        self.forth, self.back = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values, kept):
        """(`(batch, steps, hidden)`, keys and values of all steps so far): `kept` are those of the steps before, or None."""
        query, *found = (
            self.project(self.before[0](values)).unflatten(-1, (3, self.heads, -1)).movedim(2, 0).transpose(2, 3)
        )
        key, value = (
            found if kept is None else (torch.cat([old, new], dim=2) for old, new in zip(kept, found, strict=True))
        )
        n, m = query.shape[2], key.shape[2]
        places = torch.arange(m, device=values.device)
        back = places[m - n :, None] - places  # how many steps a key is before its query
        near = (query @ self.distance.mT).gather(3, back.clamp(0, REACH).expand(*query.shape[:2], n, m))
        scores = (query @ key.mT + near) / query.shape[3] ** 0.5
        shares = self.dropout(torch.softmax(scores.masked_fill(back < 0, -torch.inf), dim=-1))
        values = values + self.dropout(self.join((shares @ value).transpose(1, 2).flatten(2)))
        return values + self.dropout(self.back(torch.relu(self.forth(self.before[1](values))))), (key, value)


class Network(nn.Module):
    def __init__(self, voices, hidden, layers, heads, embedding, dropout):
        super().__init__()
        self.chords = chords.Chords(voices, hidden, embedding, dropout)
        self.enter, self.leave = nn.Linear(self.chords.width, hidden), nn.LayerNorm(hidden)
        self.layers = nn.ModuleList(Layer(hidden, heads, dropout) for _ in range(layers))

    def forward(self, before, phase, cells):
        return self.chords.logits(self.advance(self.chords.read(before, phase), None)[0], cells)

    def advance(self, steps, memory):
        """(states, what each layer keeps)."""
        values, kept = self.enter(steps), []
        for layer, old in zip(self.layers, memory or [None] * len(self.layers), strict=True):
            values, new = layer(values, old)
            kept.append(new)
        return self.leave(values), kept


def fit(train, validation, options, seed):
    with seeded(seed):
        network = Network(train[0].shape[1], **PRESETS[options["preset"]])
        return networks.fit(network, RECIPES[options["preset"]], train, validation, options["transpose"], seed)


def build(arrays, options):
    return networks.restored(Network(networks.voices(arrays), **PRESETS[options["preset"]]), arrays)


cell_nats = networks.cell_nats


def begin(model, n_pieces, rng):
    return chords.begin(model.chords, model.advance, n_pieces)
