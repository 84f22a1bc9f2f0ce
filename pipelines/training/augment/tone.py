"""A random frequency response: a smooth curve in dB through random values at `KNOTS` places."""

import torch
from torch import Tensor

KNOTS = 8
LOWEST = 50.0
"""Hz: below, the response is that at the lowest knot."""
RATE = 16_000
PAD = 2_048
"""Samples of silence behind a chunk, so that the filter's response does not come round to its beginning."""


def even(shape: tuple[int, ...], largest: float, device: torch.device) -> Tensor:
    """Drawn evenly from `-largest` to `largest`."""
    return largest * (2 * torch.rand(shape, device=device) - 1)


def curve(knots: Tensor, places: Tensor) -> Tensor:
    """Knots `(batch, k)`, evenly spaced from 0 to 1, at `places` `(n,)` in between: `(batch, n)`, half a cosine from each to the
    next."""
    at = places * (knots.shape[1] - 1)
    low = at.floor().clamp(0, knots.shape[1] - 2).long()
    share = (1 - torch.cos(torch.pi * (at - low))) / 2
    return knots[:, low] + share * (knots[:, low + 1] - knots[:, low])


def filtered_sound(waveform: Tensor, filter_db: float) -> Tensor:
    """`(batch, samples)` through a filter without phase; knots are evenly spaced in log frequency, from 50 Hz to half the
    rate."""
    size = waveform.shape[1] + PAD
    knots = even((len(waveform), KNOTS), filter_db, waveform.device)
    response = 10 ** (curve(knots, places(1 + size // 2, waveform.device)) / 20)
    return torch.fft.irfft(torch.fft.rfft(waveform, size) * response, size)[:, : waveform.shape[1]]


def filtered_frames(features: Tensor, filter_db: float) -> Tensor:
    """`(batch, frames, bands)` in dB plus the response, whose knots are evenly spaced over the bands."""
    knots = even((len(features), KNOTS), filter_db, features.device)
    return features + curve(knots, torch.linspace(0, 1, features.shape[2], device=features.device))[:, None]


def places(n_bins: int, device: torch.device) -> Tensor:
    """Of evenly spaced frequencies from 0 to half the rate, where they lie between `LOWEST` (0) and half the rate (1)."""
    frequency = torch.linspace(0, RATE / 2, n_bins, device=device).clamp(min=LOWEST)
    return torch.log(frequency / LOWEST) / torch.log(torch.tensor(RATE / 2 / LOWEST, device=device))
