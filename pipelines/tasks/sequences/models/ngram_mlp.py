"""n-gram network (Bengio et al. 2003, JMLR 3): a cell from the `n` - 1 cells before it, in the order of the piece.

Each voice has its own layers: the context's cells as embeddings, one hidden layer, softmax over the pitches. With n = 1 it is a
unigram, and `n` counts cells as for `kneser_ney`: of four voices, n - 1 cells are (n - 1) / 4 steps, and n = 5 sees one step
back.
"""

import torch
from torch import nn

from pipelines.tasks.sequences.fit import networks, ngrams
from pipelines.tasks.sequences.fit.cells import BEGIN, PITCHES
from pipelines.training.seeded import one_thread, seeded

PRESETS = {
    "tiny": {"hidden": 192, "embedding": 16, "dropout": 0.1},
    "cpu": {"hidden": 384, "embedding": 32, "dropout": 0.2},
    "cpu_long": {"hidden": 384, "embedding": 32, "dropout": 0.3},
    "gpu": {"hidden": 1024, "embedding": 64, "dropout": 0.4},
}
RECIPES = ngrams.RECIPES


class Network(nn.Module):
    def __init__(self, n, voices, hidden, embedding, dropout):
        super().__init__()
        self.context, self.voices = n - 1, voices
        self.embed = nn.Embedding(PITCHES + 1, embedding)
        # the first layer of all places at once: a convolution over the context
        self.hidden = nn.ModuleList(
            nn.Conv1d(embedding, hidden, max(self.context, 1), stride=voices) for _ in range(voices)
        )
        self.out = nn.ModuleList(nn.Linear(hidden, PITCHES) for _ in range(voices))
        self.dropout = nn.Dropout(dropout)

    def forward(self, before, phase, cells):
        flat = torch.cat([before[:, :1], cells], dim=1).flatten(1)
        # n = 1 has a context of one mark that says nothing
        wide = (
            nn.functional.pad(flat, (max(self.context - self.voices, 0), 0), value=BEGIN)
            if self.context
            else flat * 0 + BEGIN
        )
        first = self.voices - self.context if 0 < self.context < self.voices else 0
        n_steps = cells.shape[1]
        logits = [self.voice(wide[:, first + voice :], voice)[:, :n_steps] for voice in range(self.voices)]
        return torch.stack(logits, dim=2)

    def voice(self, contexts, voice):
        """Logits `(batch, places, 128)` of a voice: the contexts are as many cells apart as there are voices."""
        found = self.hidden[voice](self.dropout(self.embed(contexts)).mT).mT
        return self.out[voice](self.dropout(torch.relu(found)))


def fit(train, validation, options, seed):
    with seeded(seed):
        network = Network(options["n"], train[0].shape[1], **PRESETS[options["preset"]])
        return ngrams.fit(network, train, validation, options, seed)


def build(arrays, options):
    network = Network(options["n"], networks.voices(arrays), **PRESETS[options["preset"]])
    return networks.restored(network, arrays)


cell_nats = networks.cell_nats


def begin(model, n_pieces, rng):
    """`ask(previous) -> (n_pieces, 128)` log-probabilities of the next cell."""
    context, place = torch.full((n_pieces, max(model.context, 1)), BEGIN), -1

    @one_thread()
    @torch.inference_mode()
    def ask(previous=None):
        nonlocal context, place
        place += 1
        if previous is not None and model.context:
            context = ngrams.moved_on(context, previous)
        return torch.log_softmax(model.voice(context, place % model.voices)[:, 0].double(), dim=-1).numpy()

    return ask
