"""Convolutional recurrent network (Choi et al. 2017, arXiv 1609.04243): four convolutions on 29 s of log-mel, and a GRU.

394,100 parameters at width 1 with 50 tags; the embedding is the GRU's last step (32).
"""

from torch import Tensor, nn

from pipelines.models.taggers.layers import Conv2d, MelSpectrogram, Tagger, as_image, channels

READS = {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 96}, "waveform": {}}
FRONT = "log_mel"
CHUNK = 464_000
N_MELS = READS["log_mel"]["n_mels"]


class ConvolutionalRecurrent(Tagger):
    def __init__(self, n_tags: int, width: float):
        super().__init__()
        n, hidden = channels(64, width), channels(32, width)
        self.spec = MelSpectrogram(N_MELS)
        self.spec_bn = nn.BatchNorm2d(1)
        sizes = [1, n, 2 * n, 2 * n, 2 * n]
        for layer, pooling in enumerate([2, 3, 4, 4], 1):
            self.add_module(f"layer{layer}", Conv2d(sizes[layer - 1], sizes[layer], pooling))
        self.layer5 = nn.GRU(2 * n, hidden, 2, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(hidden, n_tags)

    def front(self, waveform: Tensor) -> Tensor:
        return self.spec(waveform)

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.spec_bn(as_image(features))
        for layer in range(1, 5):
            x = self.get_submodule(f"layer{layer}")(x)
        steps, _ = self.layer5(x.squeeze(2).transpose(1, 2))
        embedding = steps[:, -1]
        return self.dense(self.dropout(embedding)), embedding


def create(n_tags: int = 50, width: float = 1.0) -> nn.Module:
    return ConvolutionalRecurrent(n_tags, width)
