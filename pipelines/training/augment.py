"""What a network hears is changed a little at random, a batch at a time, drawn from torch's global generator.

Settings (`recipes.<name>.augment` in params.yaml; what is not named is not done):

- `gain_db`: sound is made louder or softer by up to so much; `polarity`: half of it is turned over
- `time_masks`, `time_mask`: so many stretches of up to this share of a chunk are hidden: in sound silent, in frames the mean
- `frequency_masks`, `frequency_mask`: likewise bands of frames (SpecAugment, Park et al. 2019, arXiv 1904.08779, without warping)
"""

import torch
from torch import Tensor

from pipelines.core import torchaudio


def sound(waveform: Tensor, settings: dict) -> Tensor:
    """`(batch, samples)` with another gain and sign each, and stretches of silence."""
    shape = len(waveform), 1
    if gain_db := settings.get("gain_db"):
        gain = gain_db * (2 * torch.rand(shape, device=waveform.device) - 1)
        waveform = waveform * 10 ** (gain / 20)
    if settings.get("polarity"):
        waveform = torch.where(torch.rand(shape, device=waveform.device) < 0.5, -waveform, waveform)
    for hidden in _masks(len(waveform), waveform.shape[1], settings, "time", waveform.device):
        waveform = waveform.masked_fill(hidden, 0.0)
    return waveform


def frames(features: Tensor, settings: dict) -> Tensor:
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
