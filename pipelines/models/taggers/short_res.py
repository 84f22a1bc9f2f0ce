"""Short-chunk CNN with residuals (Won et al. 2020, arXiv 2006.00751): seven strided blocks on 3.7 s of log-mel, max pooling.

12,104,244 parameters at width 1 with 50 tags; the embedding is dense1 before its batch norm (512).
"""

import torch
from torch import Tensor, nn

from pipelines.models.taggers.layers import MelSpectrogram, Residual2d, Tagger, as_image, channels

READS = {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 128}, "waveform": {}}
FRONT = "log_mel"
CHUNK = 59_049
N_MELS = READS["log_mel"]["n_mels"]


class ShortChunkResidual(Tagger):
    def __init__(self, n_tags: int, width: float):
        super().__init__()
        n = channels(128, width)
        self.spec = MelSpectrogram(N_MELS)
        self.spec_bn = nn.BatchNorm2d(1)
        sizes = [1, n, n, 2 * n, 2 * n, 2 * n, 2 * n, 4 * n]
        for layer in range(1, 8):
            self.add_module(f"layer{layer}", Residual2d(sizes[layer - 1], sizes[layer], stride=2))
        self.dense1 = nn.Linear(4 * n, 4 * n)
        self.bn = nn.BatchNorm1d(4 * n)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(4 * n, n_tags)

    def front(self, waveform: Tensor) -> Tensor:
        return self.spec(waveform)

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.spec_bn(as_image(features))
        for layer in range(1, 8):
            x = self.get_submodule(f"layer{layer}")(x)
        embedding = self.dense1(x.amax(dim=(2, 3)))
        return self.dense2(self.dropout(torch.relu(self.bn(embedding)))), embedding


def create(n_tags: int = 50, width: float = 1.0) -> nn.Module:
    return ShortChunkResidual(n_tags, width)
