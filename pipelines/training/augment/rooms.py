"""Echo and reverberation of samples `(batch, samples)`, each chunk its own."""

import torch
from torch import Tensor

from pipelines.core import torchaudio

RATE = 16_000
ECHO = 0.5
"""The highest level of an echo, of the direct sound's."""
SHORTEST = 0.1
"""Of `reverb_s`: the shortest reverberation time."""


def echoed(waveform: Tensor, delay_s: float) -> Tensor:
    """One echo up to `delay_s` seconds later, at up to half the level."""
    n, size = waveform.shape
    delay = (torch.rand((n, 1), device=waveform.device) * delay_s * RATE).long()
    level = ECHO * torch.rand((n, 1), device=waveform.device)
    place = torch.arange(size, device=waveform.device) - delay
    return waveform + level * torch.where(place >= 0, waveform.gather(1, place.clamp(min=0)), 0.0)


def reverberated(waveform: Tensor, reverb_s: float) -> Tensor:
    """Through the response of a diffuse room: the direct sound, and white noise that decays by 60 dB in the reverberation time
    (Moorer 1979), at most as loud as the direct sound. The time is drawn from a tenth of `reverb_s` to `reverb_s`."""
    shape = len(waveform), 1
    time = reverb_s * (SHORTEST + (1 - SHORTEST) * torch.rand(shape, device=waveform.device))
    level = torch.rand(shape, device=waveform.device)
    length = min(waveform.shape[1], max(2, round(reverb_s * RATE)))
    at = torch.arange(length, device=waveform.device) / RATE
    tail = torch.randn((len(waveform), length), device=waveform.device) * 10 ** (-3 * at / time)
    tail = level * tail / tail.norm(dim=1, keepdim=True)
    response = torch.cat([torch.ones(shape, device=waveform.device), tail], dim=1)
    return torchaudio.load().functional.fftconvolve(waveform, response)[:, : waveform.shape[1]]
