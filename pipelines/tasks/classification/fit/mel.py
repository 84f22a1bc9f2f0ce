"""Networks of frames on samples: the mel spectrum is their front end, so that what they hear can be augmented as samples.

The spectrum is that of pipelines/features/log_mel.py with its own parameters (16 kHz, `N_FFT` 512, 128 HTK triangles to 8 kHz
without area normalisation), in dB, or as power: the scale's value to a network can then be measured.
"""

import warnings

import torch
from torch import nn

from pipelines.core import torchaudio

RATE, N_FFT, HOP_LENGTH, N_MELS, HIGHEST = 16_000, 512, 256, 128, 8_000.0
SCALES = ("decibel", "power")


class OnSamples(nn.Module):
    """`network`, which reads frames, behind a front end that reads samples `(batch, samples)`. scale: of `SCALES`."""

    def __init__(self, network: nn.Module, scale: str):
        super().__init__()
        self.network, self.scale = network, scale
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="At least one mel filterbank has all zero"
            )  # the lowest, as in log_mel
            self.mel = torchaudio.load().transforms.MelSpectrogram(
                RATE, N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS, f_max=HIGHEST
            )

    def front(self, samples):
        power = self.mel(samples).transpose(1, 2)
        return 10 * torch.log10(power.clamp(min=1e-10)) if self.scale == "decibel" else power

    def classify(self, chunks):
        return self.network.classify(chunks)
