"""Harmonic CNN (Won et al. 2020, ICASSP; code of arXiv 2006.00751): filters at six harmonics of 128 pitches, learnt in width.

5 s of sound; the filters are half a semitone apart from C1, their widths the ear's equivalent rectangular bandwidth over a learnt
quality `bw_Q`. 3,631,551 parameters at width 1 with 50 tags; the embedding is dense1 before its batch norm (256).
"""

import torch
from torch import Tensor, nn

from pipelines.models.taggers.layers import N_FFT, Conv2d, PooledResidual2d, Spectrogram, Tagger, channels

READS = {"waveform": {}}
FRONT = "power"
CHUNK = 80_000
N_HARMONICS = 6
STEPS_PER_SEMITONE = 2
LOWEST, HIGHEST = 24, 88  # MIDI: C1, and E6, whose sixth harmonic is the last below 8 kHz
ERB = 0.1079, 24.7  # bandwidth in Hz: 0.1079 f + 24.7 (Glasberg and Moore 1990)


class HarmonicSpectrogram(nn.Module):
    """Power `(batch, frames, 257)` to dB `(batch, harmonics, pitches, frames)`; `spec` makes that power of a waveform."""

    def __init__(self):
        super().__init__()
        self.spec = Spectrogram()
        self.bw_Q = nn.Parameter(torch.ones(1))
        n_pitches = (HIGHEST - LOWEST) * STEPS_PER_SEMITONE
        midi = torch.linspace(LOWEST, HIGHEST, n_pitches + 1, dtype=torch.float64)[:-1]
        pitches = 440 * 2 ** ((midi - 69) / 12)
        centres = torch.cat([harmonic * pitches for harmonic in range(1, N_HARMONICS + 1)]).float()
        # made anew from constants, so not in the published checkpoint
        self.register_buffer("centres", centres, persistent=False)
        self.register_buffer("bins", torch.linspace(0, 8000, 1 + N_FFT // 2), persistent=False)

    def forward(self, power: Tensor) -> Tensor:
        width = (ERB[0] * self.centres + ERB[1]) / self.bw_Q
        distance = (self.bins[:, None] - self.centres).abs()
        filters = torch.clamp(1 - 2 * distance / width, min=0)
        # powers span ten decades: of lower precision than float32 the quiet ones would be lost
        with torch.autocast(power.device.type, enabled=False):
            decibel = 10 * torch.log10(torch.clamp(power @ filters, min=1e-10))
        return decibel.unflatten(2, (N_HARMONICS, -1)).permute(0, 2, 3, 1)


class Harmonic(Tagger):
    def __init__(self, n_tags: int, width: float):
        super().__init__()
        n = channels(128, width)
        self.hstft = HarmonicSpectrogram()
        self.hstft_bn = nn.BatchNorm2d(N_HARMONICS)
        self.layer1 = Conv2d(N_HARMONICS, n)
        self.layer2 = PooledResidual2d(n)
        self.layer3 = PooledResidual2d(n)
        self.layer4 = PooledResidual2d(n)
        self.layer5 = Conv2d(n, 2 * n)
        self.layer6 = PooledResidual2d(2 * n, (2, 3))
        self.layer7 = PooledResidual2d(2 * n, (2, 3))
        self.dense1 = nn.Linear(2 * n, 2 * n)
        self.bn = nn.BatchNorm1d(2 * n)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(2 * n, n_tags)

    def front(self, waveform: Tensor) -> Tensor:
        return self.hstft.spec(waveform).transpose(1, 2)

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.hstft_bn(self.hstft(features))
        for layer in range(1, 8):
            x = self.get_submodule(f"layer{layer}")(x)
        embedding = self.dense1(x.amax(dim=(2, 3)))
        return self.dense2(self.dropout(torch.relu(self.bn(embedding)))), embedding


def create(n_tags: int = 50, width: float = 1.0) -> nn.Module:
    return Harmonic(n_tags, width)
