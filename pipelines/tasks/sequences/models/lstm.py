"""LSTM over steps (Hochreiter and Schmidhuber 1997): it reads the cells of a step at once (`chords.py`).

Trained on random excerpts in random keys (`networks.py`), with dropout of its input, its output and its last layer.
"""

from torch import nn

from pipelines.tasks.sequences.fit import chords, networks
from pipelines.training.seeded import seeded

PRESETS = {
    "tiny": {"hidden": 192, "layers": 1, "embedding": 16, "dropout": 0.1},
    "cpu": {"hidden": 256, "layers": 1, "embedding": 32, "dropout": 0.2},
    "cpu_long": {"hidden": 320, "layers": 1, "embedding": 32, "dropout": 0.3},
    "gpu": {"hidden": 512, "layers": 2, "embedding": 64, "dropout": 0.4},
}
RECIPES = {
    "tiny": {"updates": 450, "batch": 16, "steps": 64, "rate": 0.006, "decay": 0.01},
    "cpu": {"updates": 1000, "batch": 16, "steps": 96, "rate": 0.005, "decay": 0.01},
    "cpu_long": {"updates": 2600, "batch": 16, "steps": 96, "rate": 0.004, "decay": 0.02},
    "gpu": {"updates": 10000, "gpu": True, "batch": 64, "steps": 128, "rate": 0.002, "decay": 0.01},
}


class Network(nn.Module):
    def __init__(self, voices, hidden, layers, embedding, dropout):
        super().__init__()
        self.chords = chords.Chords(voices, hidden, embedding, dropout)
        self.lstm = nn.LSTM(self.chords.width, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)

    def forward(self, before, phase, cells):
        return self.chords.logits(self.lstm(self.chords.read(before, phase))[0], cells)


def fit(train, validation, options, seed):
    with seeded(seed):
        network = Network(train[0].shape[1], **PRESETS[options["preset"]])
        return networks.fit(network, RECIPES[options["preset"]], train, validation, options["transpose"], seed)


def build(arrays, options):
    return networks.restored(Network(networks.voices(arrays), **PRESETS[options["preset"]]), arrays)


cell_nats = networks.cell_nats


def begin(model, n_pieces, rng):
    return chords.begin(model.chords, model.lstm, n_pieces)
