"""Fully convolutional network (Choi et al. 2016, arXiv 1606.00298): five 3 x 3 convolutions on 29 s of log-mel, 96 bands.

447,732 parameters at width 1 with 50 tags; the embedding is layer5 (64), a single place in time and frequency.
"""

from torch import Tensor, nn

from pipelines.models.taggers.layers import Conv2d, MelSpectrogram, Tagger, as_image, channels

READS = {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 96}, "waveform": {}}
FRONT = "log_mel"
CHUNK = 464_000
N_MELS = READS["log_mel"]["n_mels"]
POOLING = [(2, 4), (2, 4), (2, 4), (3, 5), (4, 4)]  # (bands, frames): 96 x 1813 becomes 1 x 1


class FullyConvolutional(Tagger):
    def __init__(self, n_tags: int, width: float):
        super().__init__()
        n = channels(64, width)
        self.spec = MelSpectrogram(N_MELS)
        self.spec_bn = nn.BatchNorm2d(1)
        sizes = [1, n, 2 * n, 2 * n, 2 * n, n]
        for layer, pooling in enumerate(POOLING, 1):
            self.add_module(f"layer{layer}", Conv2d(sizes[layer - 1], sizes[layer], pooling))
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(n, n_tags)

    def front(self, waveform: Tensor) -> Tensor:
        return self.spec(waveform)

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.spec_bn(as_image(features))
        for layer in range(1, 6):
            x = self.get_submodule(f"layer{layer}")(x)
        embedding = x.amax(dim=(2, 3))
        return self.dense(self.dropout(embedding)), embedding


def create(n_tags: int = 50, width: float = 1.0) -> nn.Module:
    return FullyConvolutional(n_tags, width)
