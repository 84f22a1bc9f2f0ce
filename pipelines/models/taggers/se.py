"""Sample-level CNN with residuals and squeeze-and-excitation (Kim et al. 2018, arXiv 1710.10451): 59,049 raw samples.

6,951,858 parameters at width 1 with 50 tags; the embedding is dense1 before its batch norm (512).
"""

import torch
from torch import Tensor, nn

from pipelines.models.taggers.layers import Tagger, channels, over_time

READS = {"waveform": {}}
FRONT = "waveform"
CHUNK = 59_049


class Block(nn.Module):
    """Two convolutions whose channels are weighed by what all of the clip holds, a way around them, max pooling, of
    `(batch, channels, 1, samples)`."""

    def __init__(self, n_in: int, n_out: int, kernel: int = 3, stride: int = 1, pooling: int = 1):
        super().__init__()
        self.conv_1 = nn.Conv1d(n_in, n_out, kernel, stride, padding=kernel // 2)
        self.bn_1 = nn.BatchNorm2d(n_out)
        self.conv_2 = nn.Conv1d(n_out, n_out, kernel, padding=kernel // 2)
        self.bn_2 = nn.BatchNorm2d(n_out)
        self.dense1 = nn.Linear(n_out, n_out)
        self.dense2 = nn.Linear(n_out, n_out)
        self.changes = stride > 1 or n_in != n_out
        if self.changes:
            self.conv_3 = nn.Conv1d(n_in, n_out, kernel, stride, padding=kernel // 2)
            self.bn_3 = nn.BatchNorm2d(n_out)
        self.pool = nn.MaxPool2d((1, pooling)) if pooling > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn_2(over_time(self.conv_2, torch.relu(self.bn_1(over_time(self.conv_1, x)))))
        weight = torch.sigmoid(self.dense2(torch.relu(self.dense1(y.mean(dim=(2, 3))))))
        around = self.bn_3(over_time(self.conv_3, x)) if self.changes else x
        return self.pool(torch.relu(around + y * weight[:, :, None, None]))


class SqueezeExcitation(Tagger):
    def __init__(self, n_tags: int, width: float):
        super().__init__()
        n = channels(128, width)
        self.layer1 = Block(1, n, stride=3)
        sizes = [n, n, n, 2 * n, 2 * n, 2 * n, 2 * n, 2 * n, 2 * n, 4 * n]
        for layer in range(2, 11):
            self.add_module(f"layer{layer}", Block(sizes[layer - 2], sizes[layer - 1], pooling=3))
        self.layer11 = Block(4 * n, 4 * n, kernel=1)
        self.dense1 = nn.Linear(4 * n, 4 * n)
        self.bn = nn.BatchNorm1d(4 * n)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(4 * n, n_tags)

    def front(self, waveform: Tensor) -> Tensor:
        return waveform

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = features[:, None, None]
        for layer in range(1, 12):
            x = self.get_submodule(f"layer{layer}")(x)
        embedding = self.dense1(x.amax(dim=(2, 3)))
        return self.dense2(self.dropout(torch.relu(self.bn(embedding)))), embedding


def create(n_tags: int = 50, width: float = 1.0) -> nn.Module:
    return SqueezeExcitation(n_tags, width)
