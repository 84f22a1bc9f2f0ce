"""Masks by a bidirectional LSTM on the magnitude, of the shape of Open-Unmix (Stöter et al. 2019), with one mask a stem.

Open-Unmix trains a network a stem; this one has all stems, and its masks are a softmax over stems, so that they add up to 1.
"""

import torch
from torch import Tensor, nn

from pipelines.tasks.separation.fit.masks import decibels


def create(n_bins: int, n_stems: int, rate: int, options) -> nn.Module:
    """Magnitudes `(batch, frames, n_bins)` -> masks `(batch, n_stems, frames, n_bins)`."""
    return MaskLSTM(n_bins, n_stems, options["hidden"], options["layers"])


class MaskLSTM(nn.Module):
    """Input scaling, a dense layer, a BiLSTM with a skip connection around it, and two dense layers."""

    def __init__(self, n_bins: int, n_stems: int, hidden: int, layers: int):
        super().__init__()
        self.n_stems = n_stems
        self.scale = nn.Parameter(torch.ones(n_bins))
        self.shift = nn.Parameter(torch.zeros(n_bins))
        self.before = nn.Sequential(nn.Linear(n_bins, hidden, bias=False), nn.LayerNorm(hidden), nn.Tanh())
        self.lstm = nn.LSTM(hidden, hidden // 2, layers, batch_first=True, bidirectional=True)
        width = hidden + 2 * (hidden // 2)
        self.after = nn.Sequential(nn.Linear(width, hidden, bias=False), nn.LayerNorm(hidden), nn.ReLU())
        self.masks = nn.Linear(hidden, n_bins * n_stems)

    def forward(self, magnitude: Tensor) -> Tensor:
        x = self.before(decibels(magnitude) * self.scale + self.shift)
        x = self.after(torch.cat([x, self.lstm(x)[0]], dim=-1))
        return self.masks(x).unflatten(-1, (self.n_stems, -1)).transpose(1, 2).softmax(dim=1)
