"""Musicnn (Pons et al. 2018, arXiv 1711.02520): filters shaped after timbre and rhythm on 3 s of log-mel, 96 bands.

Tall filters (0.7 and 0.4 of the bands, 7 frames), max-pooled over bands, respond to timbre at any pitch; long filters over the
mean of the bands (129, 65 and 33 frames) respond to changes of loudness. 784,300 parameters at width 1 with 50 tags; the
embedding is dense1 before its batch norm (200).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from pipelines.models.taggers.layers import Conv1d, MelSpectrogram, Tagger, as_image, channels, over_time

READS = {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 96}, "waveform": {}}
FRONT = "log_mel"
CHUNK = 48_000
N_MELS = READS["log_mel"]["n_mels"]


class Tall(nn.Module):
    """Convolution over bands and time, then the loudest band: `(batch, 1, bands, frames)` to `(batch, n_out, 1, frames)`."""

    def __init__(self, n_out: int, bands: int):
        super().__init__()
        self.conv = nn.Conv2d(1, n_out, (bands, 7), padding=(0, 3))
        self.bn = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        x = self._by_places(x) if self.training else self.conv(x)
        return torch.relu(self.bn(x)).amax(dim=2, keepdim=True)

    def _by_places(self, x: Tensor) -> Tensor:
        """`self.conv(x)` with the bands under the filter as channels, `(batch, bands, places, frames)`: CPUs compute the
        gradients of one channel under a tall filter three to four times slower."""
        windows = x.squeeze(1).unfold(1, self.conv.weight.shape[2], 1)  # (batch, places, frames, bands)
        return conv2d(windows.permute(0, 3, 1, 2), self.conv.weight.transpose(1, 2), self.conv.bias, padding=(0, 3))


class Long(nn.Module):
    """Convolution over time of the mean of the bands: `(batch, 1, bands, frames)` to `(batch, n_out, 1, frames)`."""

    def __init__(self, n_out: int, frames: int):
        super().__init__()
        self.conv = nn.Conv1d(1, n_out, frames, padding=frames // 2)
        self.bn = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(over_time(self.conv, x.mean(dim=2, keepdim=True))))


class Musicnn(Tagger):
    def __init__(self, n_tags: int, width: float):
        super().__init__()
        tall, long, n, dense = (channels(published, width) for published in (204, 51, 64, 200))
        self.spec = MelSpectrogram(N_MELS)
        self.spec_bn = nn.BatchNorm2d(1)
        self.layers = nn.ModuleList(
            [*(Tall(tall, int(share * N_MELS)) for share in (0.7, 0.4)), *(Long(long, k) for k in (129, 65, 33))]
        )
        n_front = 2 * tall + 3 * long
        self.layer1 = Conv1d(n_front, n, 7)
        self.layer2 = Conv1d(n, n, 7)
        self.layer3 = Conv1d(n, n, 7)
        self.dense1 = nn.Linear(2 * (n_front + 3 * n), dense)
        self.bn = nn.BatchNorm1d(dense)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(dense, n_tags)

    def front(self, waveform: Tensor) -> Tensor:
        return self.spec(waveform)

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.spec_bn(as_image(features))
        front = torch.cat([layer(x) for layer in self.layers], dim=1)
        first = self.layer1(front)
        second = self.layer2(first) + first
        third = self.layer3(second) + second
        x = torch.cat([front, first, second, third], dim=1)
        embedding = self.dense1(torch.cat([x.amax(dim=(2, 3)), x.mean(dim=(2, 3))], dim=1))
        return self.dense2(self.dropout(torch.relu(self.bn(embedding)))), embedding


def create(n_tags: int = 50, width: float = 1.0) -> nn.Module:
    return Musicnn(n_tags, width)
