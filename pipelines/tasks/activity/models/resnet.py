"""Short-chunk ResNet on log-mel frames (Won et al. 2020, arXiv 2006.00751): residual blocks that halve both axes, and the highest
value of each channel.

`width` 1 has an eighth of the published channels, for a CPU; `width` 8 has all.
"""

import torch
from torch import nn

LEVEL = "clip"
CHANNELS, HIDDEN = (16, 16, 32, 32, 32, 32, 64), 64


def network(n_classes, n_bands, width):
    return ShortChunk(n_classes, [max(4, round(n * width)) for n in CHANNELS], max(4, round(HIDDEN * width)))


class Block(nn.Module):
    """Two 3 x 3 convolutions, the first with a stride of 2, added to a third one of the block's input."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.first, self.norm1 = nn.Conv2d(n_in, n_out, 3, 2, padding=1, bias=False), nn.BatchNorm2d(n_out)
        self.second, self.norm2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out)
        self.beside, self.norm3 = nn.Conv2d(n_in, n_out, 3, 2, padding=1, bias=False), nn.BatchNorm2d(n_out)

    def forward(self, x):
        through = self.norm2(self.second(torch.relu(self.norm1(self.first(x)))))
        return torch.relu(through + self.norm3(self.beside(x)))


class ShortChunk(nn.Module):
    def __init__(self, n_classes, channels, hidden):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential(
            *(Block(n_in, n_out) for n_in, n_out in zip([1, *channels[:-1]], channels, strict=True))
        )
        self.dense, self.dense_norm = nn.Linear(channels[-1], hidden), nn.BatchNorm1d(hidden)
        self.dropout, self.head = nn.Dropout(0.5), nn.Linear(hidden, n_classes)

    def classify(self, chunks):
        """`(batch, frames, bands)` -> logits `(batch, classes)`, embedding `(batch, channels)`."""
        embedding = self.blocks(self.norm(chunks.unsqueeze(1))).amax(dim=(2, 3))
        return self.head(self.dropout(torch.relu(self.dense_norm(self.dense(embedding))))), embedding
