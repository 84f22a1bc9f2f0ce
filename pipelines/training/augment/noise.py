"""White noise at a random signal-to-noise ratio, from `snr_db` to `RANGE` dB more."""

import torch
from torch import Tensor

from pipelines.core import torchaudio

RANGE = 30.0


def noisy_sound(waveform: Tensor, snr_db: float) -> Tensor:
    """`(batch, samples)` plus Gaussian noise; silence stays silence."""
    drawn = _snr(len(waveform), snr_db, waveform.device)
    return torchaudio.load().functional.add_noise(waveform, torch.randn_like(waveform), drawn)


def noisy_frames(features: Tensor, snr_db: float) -> Tensor:
    """`(batch, frames, bands)` in dB plus noise in power, of the same mean power in all bands. The power of white noise in a
    bin is exponentially distributed."""
    drawn = _snr(len(features), snr_db, features.device)[:, None, None]
    power = 10 ** (features / 10)
    level = power.mean(dim=(1, 2), keepdim=True) * 10 ** (-drawn / 10)
    added = level * -torch.log1p(-torch.rand(features.shape, device=features.device))
    return 10 * torch.log10((power + added).clamp(min=1e-10))


def _snr(n: int, snr_db: float, device: torch.device) -> Tensor:
    return snr_db + RANGE * torch.rand(n, device=device)
