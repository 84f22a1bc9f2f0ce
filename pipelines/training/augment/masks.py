"""Masks of SpecAugment (Park et al. 2019, arXiv 1904.08779): stretches of time, or of bands, that training does not see."""

import torch
from torch import Tensor

from pipelines.core import torchaudio


def silenced(waveform: Tensor, settings: dict) -> Tensor:
    """`(batch, samples)` with stretches of silence."""
    for hidden in _masks(len(waveform), waveform.shape[1], settings, "time", waveform.device):
        waveform = waveform.masked_fill(hidden, 0.0)
    return waveform


def masked(features: Tensor, settings: dict) -> Tensor:
    """`(batch, frames, bands)` with stretches of frames and of bands at the mean of their chunk."""
    if not (settings.get("time_masks") or settings.get("frequency_masks")):
        return features
    mean = features.mean(dim=(1, 2), keepdim=True)
    for axis, name in ((1, "time"), (2, "frequency")):
        for hidden in _masks(len(features), features.shape[axis], settings, name, features.device):
            features = torch.where(hidden.unsqueeze(3 - axis), mean, features)
    return features


def _masks(n: int, length: int, settings: dict, name: str, device: torch.device):
    """Yield masks `(n, length)`, each true over one stretch of 0 to `<name>_mask` of `length`, anywhere."""
    count, size = settings.get(f"{name}_masks", 0), settings.get(f"{name}_mask", 0.0) * length
    if not count:
        return
    hide = torchaudio.load().functional.mask_along_axis_iid
    for _ in range(count):
        kept = hide(torch.ones((n, 1, length, 1), device=device), size, 0.0, axis=2)
        yield kept[:, 0, :, 0] == 0
