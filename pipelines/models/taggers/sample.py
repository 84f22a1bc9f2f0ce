"""Sample-level CNN (Lee et al. 2017, arXiv 1703.01789): filters of three samples on the raw waveform, 59,049 = 3^10 of them.

1,869,874 parameters at width 1 with 50 tags; the embedding is layer11 (512).
"""

from torch import Tensor, nn

from pipelines.models.taggers.layers import Conv1d, Tagger, channels

READS = {"waveform": {}}
FRONT = "waveform"
CHUNK = 59_049


class SampleLevel(Tagger):
    def __init__(self, n_tags: int, width: float):
        super().__init__()
        n = channels(128, width)
        self.layer1 = Conv1d(1, n, stride=3)
        sizes = [n, n, n, 2 * n, 2 * n, 2 * n, 2 * n, 2 * n, 2 * n, 4 * n]
        for layer in range(2, 11):
            self.add_module(f"layer{layer}", Conv1d(sizes[layer - 2], sizes[layer - 1], pooling=3))
        self.layer11 = Conv1d(4 * n, 4 * n, kernel=1)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(4 * n, n_tags)

    def front(self, waveform: Tensor) -> Tensor:
        return waveform

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = features[:, None, None]
        for layer in range(1, 12):
            x = self.get_submodule(f"layer{layer}")(x)
        embedding = x.amax(dim=(2, 3))
        return self.dense(self.dropout(embedding)), embedding


def create(n_tags: int = 50, width: float = 1.0) -> nn.Module:
    return SampleLevel(n_tags, width)
