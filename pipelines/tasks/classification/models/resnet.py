"""Short-chunk ResNet on frames (log-mel; Won et al. 2020, arXiv 2006.00751): seven residual blocks, each of which halves both
axes.

`width` 1 has an eighth of the published channels, for a CPU; `width` 8 has all. The highest value over time and frequency is what
the dense layers read.
"""

import torch
from torch import nn

BANDS, LONGEST = True, 256
PARAMETERS = {}
CHANNELS, HIDDEN = (16, 16, 32, 32, 32, 32, 64), 64


def network(n_classes, n_bands, width):
    return ResNet(n_classes, *([max(4, round(n * width)) for n in each] for each in (CHANNELS, (HIDDEN,))))


class Residual(nn.Module):
    """Two 3 x 3 convolutions, the first with a stride of 2, and a third around them."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.through = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.around = nn.Sequential(nn.Conv2d(n_in, n_out, 3, 2, padding=1, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x):
        return torch.relu(self.through(x) + self.around(x))


class ResNet(nn.Module):
    def __init__(self, n_classes, channels, hidden):
        super().__init__()
        blocks = [Residual(n_in, n_out) for n_in, n_out in zip([1, *channels[:-1]], channels, strict=True)]
        self.body = nn.Sequential(nn.BatchNorm2d(1), *blocks)
        self.dense = nn.Sequential(
            nn.Linear(channels[-1], *hidden), nn.BatchNorm1d(*hidden), nn.ReLU(), nn.Dropout(0.5)
        )
        self.head = nn.Linear(*hidden, n_classes)

    def front(self, chunks):
        return chunks

    def classify(self, chunks):
        embedding = self.body(chunks.unsqueeze(1)).amax(dim=(2, 3))
        return self.head(self.dense(embedding)), embedding
