"""Self-attention over a convolutional front end (Won et al. 2019, arXiv 1906.04972): 15 s of log-mel, two transformer layers.

The transformer is BERT's (Devlin et al. 2019), without position embeddings: convolutions know the order. A fixed class token is
put before the sequence. 10,521,652 parameters at width 1 with 50 tags; the embedding is the pooled class token (256).
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from pipelines.models.taggers.layers import MelSpectrogram, Residual2d, Tagger, as_image, channels

READS = {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 128}, "waveform": {}}
FRONT = "log_mel"
CHUNK = 240_000
N_MELS = READS["log_mel"]["n_mels"]
N_HEADS, N_LAYERS = 8, 2
DROPOUT, ATTENTION_DROPOUT = 0.4, 0.5
EPSILON = 1e-12  # of layer norm, BERT's


class SelfAttention(nn.Module):
    def __init__(self, n: int):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(n, n), nn.Linear(n, n), nn.Linear(n, n)

    def forward(self, x: Tensor) -> Tensor:
        heads = [part(x).unflatten(2, (N_HEADS, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)]
        found = scaled_dot_product_attention(*heads, dropout_p=ATTENTION_DROPOUT if self.training else 0.0)
        return found.transpose(1, 2).flatten(2)


class Around(nn.Module):
    """Dense layer, dropout, what went before added, layer norm."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.dense = nn.Linear(n_in, n_out)
        self.LayerNorm = nn.LayerNorm(n_out, eps=EPSILON)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(x)) + before)


class TransformerLayer(nn.Module):
    def __init__(self, n: int):
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(n), "output": Around(n, n)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(n, 4 * n)})
        self.output = Around(4 * n, n)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention["output"](self.attention["self"](x), x)
        return self.output(gelu(self.intermediate["dense"](x)), x)


class Attention(Tagger):
    def __init__(self, n_tags: int, width: float):
        super().__init__()
        # a head's share of the channels is whole
        n = N_HEADS * max(1, round(channels(128, width) / N_HEADS))
        self.spec = MelSpectrogram(N_MELS)
        self.spec_bn = nn.BatchNorm2d(1)
        sizes, strides = [1, n, n, 2 * n, 2 * n, 2 * n, 2 * n, 2 * n], [2, 2, 2, (2, 1), (2, 1), (2, 1), (2, 1)]
        for layer, stride in enumerate(strides, 1):
            self.add_module(f"layer{layer}", Residual2d(sizes[layer - 1], sizes[layer], stride))
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(TransformerLayer(2 * n) for _ in range(N_LAYERS))})
        self.pooler = nn.ModuleDict({"dense": nn.Linear(2 * n, 2 * n)})
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(2 * n, n_tags)
        # the published token is numpy's first 256 numbers of seed 0
        token = np.random.RandomState(0).random_sample((1, 1, 2 * n)).astype(np.float32)
        self.register_buffer("token", torch.from_numpy(token), persistent=False)

    def front(self, waveform: Tensor) -> Tensor:
        return self.spec(waveform)

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.spec_bn(as_image(features))
        for layer in range(1, 8):
            x = self.get_submodule(f"layer{layer}")(x)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x.squeeze(2).transpose(1, 2)], dim=1)
        for layer in self.encoder["layer"]:
            x = layer(x)
        embedding = torch.tanh(self.pooler["dense"](x[:, 0]))
        return self.dense(self.dropout(embedding)), embedding


def create(n_tags: int = 50, width: float = 1.0) -> nn.Module:
    return Attention(n_tags, width)
