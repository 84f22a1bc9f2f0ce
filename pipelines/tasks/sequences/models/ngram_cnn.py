"""n-gram network of dilated convolutions (van den Oord et al. 2016, arXiv 1609.03499): a cell from the `n` - 1 cells before it.

It reads exactly the context of `ngram_mlp`, with far fewer weights where n is large. A convolution over the latest cells (at
most 7 of four voices) gives a vector a step. Each later layer adds to a step's vector what it finds in it and in that of some
steps before; together the layers reach n - 1 cells back and no further (`distances`). First and last layer are a voice's own.
Cells before the beginning of a piece, or of an excerpt in training, are the mark of the beginning: a context longer than the
piece so far is padded with it.
Generation keeps each layer's vectors (Le Paine et al. 2016, arXiv 1611.09482).
"""

from collections import deque

import torch
from torch import Tensor, nn

from pipelines.tasks.sequences.fit import networks, ngrams
from pipelines.tasks.sequences.fit.cells import BEGIN, PITCHES
from pipelines.training.seeded import one_thread, seeded

PRESETS = {
    "tiny": {"hidden": 128, "embedding": 16, "dropout": 0.1},
    "cpu": {"hidden": 192, "embedding": 32, "dropout": 0.2},
    "cpu_long": {"hidden": 256, "embedding": 32, "dropout": 0.3},
    "gpu": {"hidden": 512, "embedding": 64, "dropout": 0.4},
}
RECIPES = ngrams.RECIPES


def distances(context: int, voices: int) -> tuple[int, list[int]]:
    """(cells of the first layer, steps that each later layer looks back) for a context of so many cells, which they add up
    to: the distances double, and the last is what remains."""
    if context <= voices:
        return max(context, 1), []
    steps = (context - voices) // voices
    found, reach = [], 1
    while steps:
        found.append(min(reach, steps))
        steps -= found[-1]
        reach *= 2
    return voices + context % voices, found


class Network(nn.Module):
    def __init__(self, n, voices, hidden, embedding, dropout):
        super().__init__()
        self.context, self.voices = n - 1, voices
        self.width, self.distances = distances(self.context, voices)
        self.embed = nn.Embedding(PITCHES + 1, embedding)
        self.first = nn.ModuleList(nn.Conv1d(embedding, hidden, self.width, stride=voices) for _ in range(voices))
        self.layers = nn.ModuleList(nn.Linear(2 * hidden, hidden) for _ in self.distances)
        self.out = nn.ModuleList(nn.Linear(hidden, PITCHES) for _ in range(voices))
        self.dropout = nn.Dropout(dropout)

    def forward(self, before, phase, cells):
        flat = torch.cat([before[:, :1], cells], dim=1).flatten(1)
        flat = nn.functional.pad(flat, (max(self.width - self.voices, 0), 0), value=BEGIN)
        if not self.context:  # n = 1: a mark that says nothing
            flat = torch.full_like(flat, BEGIN)
        first, n_steps = max(self.voices - self.width, 0), cells.shape[1]
        return torch.stack([self.voice(flat[:, first + v :], v, n_steps) for v in range(self.voices)], dim=2)

    def voice(self, contexts: Tensor, voice: int, n_steps: int) -> Tensor:
        """Logits `(batch, n_steps, 128)` of a voice; `contexts` begin with the first step's context of the first layer."""
        found, nothing = self.read(contexts, voice)[:, :n_steps], self.read(self.marks(contexts[:1]), voice)
        for layer, distance in zip(self.layers, self.distances, strict=True):
            past = nothing.expand(len(found), min(distance, n_steps), -1)
            found, nothing = (
                self.step(layer, torch.cat([past, found[:, : max(n_steps - distance, 0)]], dim=1), found),
                self.step(layer, nothing, nothing),
            )
        return self.out[voice](self.dropout(found))

    def marks(self, cells: Tensor) -> Tensor:
        """The first layer's context before the beginning."""
        return torch.full((len(cells), self.width), BEGIN, device=cells.device)

    def read(self, contexts: Tensor, voice: int) -> Tensor:
        return torch.relu(self.first[voice](self.dropout(self.embed(contexts)).mT).mT)

    def step(self, layer: nn.Linear, past: Tensor, now: Tensor) -> Tensor:
        return now + torch.relu(layer(self.dropout(torch.cat([past, now], dim=-1))))


def fit(train, validation, options, seed):
    with seeded(seed):
        network = Network(options["n"], train[0].shape[1], **PRESETS[options["preset"]])
        return ngrams.fit(network, train, validation, options, seed)


def build(arrays, options):
    network = Network(options["n"], networks.voices(arrays), **PRESETS[options["preset"]])
    return networks.restored(network, arrays)


cell_nats = networks.cell_nats


@one_thread()
@torch.inference_mode()
def begin(model, n_pieces, rng):
    """`ask(previous) -> (n_pieces, 128)` log-probabilities of the next cell."""
    context, place = torch.full((n_pieces, model.width), BEGIN), -1
    kept = []  # of each voice, each layer's input of the steps that it still looks back to
    for voice in range(model.voices):
        nothing, queues = model.read(model.marks(context), voice), []
        for layer, distance in zip(model.layers, model.distances, strict=True):
            queues.append(deque([nothing] * distance))
            nothing = model.step(layer, nothing, nothing)
        kept.append(queues)

    @one_thread()
    @torch.inference_mode()
    def ask(previous=None):
        nonlocal context, place
        place += 1
        if previous is not None and model.context:
            context = ngrams.moved_on(context, previous)
        found = model.read(context, place % model.voices)
        for layer, queue in zip(model.layers, kept[place % model.voices], strict=True):
            queue.append(found)
            found = model.step(layer, queue.popleft(), found)
        return torch.log_softmax(model.out[place % model.voices](found)[:, 0].double(), dim=-1).numpy()

    return ask
