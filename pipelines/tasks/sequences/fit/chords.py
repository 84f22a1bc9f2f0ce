"""Both ends of the networks that read steps: a step's cells as a vector, and the cells of the next from a hidden state.

Voice v of step t has softmax(W_v relu(A_v h_t + sum over the voices u above of B_uv[x_t,u])), h_t being what the network makes of
all steps before. So the cells of a step are modelled jointly (chain rule), and a voice is never told what is below it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.tasks.sequences.fit.cells import BEGIN, PITCHES
from pipelines.tasks.sequences.fit.networks import PHASES, one_thread


class Chords(nn.Module):
    """embedding: numbers for each voice's cell, and for the place in the quarter. hidden: size of h."""

    def __init__(self, voices: int, hidden: int, embedding: int, dropout: float):
        super().__init__()
        self.voices = voices
        self.embed = nn.ModuleList(nn.Embedding(PITCHES + 1, embedding) for _ in range(voices))
        self.phase = nn.Embedding(PHASES, embedding)
        self.state = nn.Linear(hidden, voices * hidden)
        self.above = nn.ModuleList(nn.Embedding(PITCHES, hidden) for _ in range(voices * (voices - 1) // 2))
        self.out = nn.ModuleList(nn.Linear(hidden, PITCHES) for _ in range(voices))
        self.dropout = nn.Dropout(dropout)
        self.width = (voices + 1) * embedding
        for table in self.above:
            nn.init.normal_(table.weight, std=0.1)

    def read(self, before: Tensor, phase: Tensor) -> Tensor:
        """`(batch, steps, width)` of the steps `(batch, steps, voices)`."""
        parts = [table(before[..., voice]) for voice, table in enumerate(self.embed)]
        return self.dropout(torch.cat([*parts, self.phase(phase)], dim=-1))

    def logits(self, states: Tensor, cells: Tensor) -> Tensor:
        """`(batch, steps, voices, 128)` from the states `(batch, steps, hidden)` and the steps' own cells."""
        parts = self.state(self.dropout(states)).unflatten(-1, (self.voices, -1))
        return torch.stack([self.voice(parts, cells, voice) for voice in range(self.voices)], dim=-2)

    def voice(self, parts: Tensor, cells: Tensor, voice: int) -> Tensor:
        """Logits of one voice; of `cells` only those of the voices above are read."""
        found, first = parts[..., voice, :], voice * (voice - 1) // 2
        for above in range(voice):
            found = found + self.above[first + above](cells[..., above])
        return self.out[voice](self.dropout(torch.relu(found)))


def begin(chords: Chords, advance: Callable[[Tensor, Any], tuple[Tensor, Any]], n_pieces: int) -> Callable:
    """`ask(previous) -> (n_pieces, 128)` log-probabilities of the next cell.

    advance: (a step's vector `(n_pieces, 1, width)`, what the network keeps of the steps before) -> (its state, what it keeps
    now).
    """
    voices = chords.voices
    cells, memory, parts, place = torch.full((n_pieces, 1, voices), BEGIN), None, None, -1

    @one_thread()
    @torch.inference_mode()
    def ask(previous=None):
        nonlocal memory, parts, place
        if previous is not None:
            cells[:, 0, place % voices] = torch.from_numpy(np.array(previous, np.int64))
        place += 1
        if place % voices == 0:
            phase = torch.full((n_pieces, 1), place // voices % PHASES)
            states, memory = advance(chords.read(cells, phase), memory)
            parts = chords.state(states).unflatten(-1, (voices, -1))
        logits = chords.voice(parts, cells, place % voices)[:, 0]
        return torch.log_softmax(logits.double(), dim=-1).numpy()

    return ask
