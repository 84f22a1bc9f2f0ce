"""Masks by the separator of Conv-TasNet (Luo and Mesgarani 2019, section II-C) on the magnitude, with a softmax over stems.

Residual blocks of depthwise convolutions over time, each with twice the dilation of the one before, between two dense layers. The
learned encoder of Conv-TasNet is an STFT here, whose masks can be compared with the ideal ones.
"""

from torch import Tensor, nn

from pipelines.tasks.separation.fit.masks import decibels

BLOCKS = 4
"""Of a stack: dilations 1, 2, 4, 8 frames."""


def create(n_bins: int, n_stems: int, rate: int, options) -> nn.Module:
    """Magnitudes `(batch, frames, n_bins)` -> masks `(batch, n_stems, frames, n_bins)`. `layers`: stacks of blocks."""
    return ConvMasks(n_bins, n_stems, options["hidden"], options["layers"])


class ConvMasks(nn.Module):
    def __init__(self, n_bins: int, n_stems: int, hidden: int, layers: int):
        super().__init__()
        self.n_stems = n_stems
        self.before = nn.Sequential(nn.LayerNorm(n_bins), nn.Linear(n_bins, hidden))
        self.blocks = nn.ModuleList(Block(hidden, 2**n) for _ in range(layers) for n in range(BLOCKS))
        self.masks = nn.Sequential(nn.PReLU(), nn.Linear(hidden, n_bins * n_stems))

    def forward(self, magnitude: Tensor) -> Tensor:
        x = self.before(decibels(magnitude))
        for block in self.blocks:
            x = x + block(x)
        return self.masks(x).unflatten(-1, (self.n_stems, -1)).transpose(1, 2).softmax(dim=1)


class Block(nn.Module):
    """A dense layer, a depthwise convolution over three frames, and a dense layer back."""

    def __init__(self, hidden: int, dilation: int):
        super().__init__()
        self.into = nn.Sequential(nn.Linear(hidden, 2 * hidden), nn.PReLU(), nn.LayerNorm(2 * hidden))
        self.over = nn.Conv1d(2 * hidden, 2 * hidden, 3, padding=dilation, dilation=dilation, groups=2 * hidden)
        self.back = nn.Sequential(nn.PReLU(), nn.LayerNorm(2 * hidden), nn.Linear(2 * hidden, hidden))

    def forward(self, x: Tensor) -> Tensor:
        return self.back(self.over(self.into(x).transpose(1, 2)).transpose(1, 2))
