"""Score-informed masks: the notes of each stem say where its partials lie (Ewert and Müller 2012, score-informed NMF).

A MIDI note has a spectrum for the frame before it begins, for its first frame, for those in which it is held and for those after
its end, where it dies away. They begin as harmonics that fall with 1 / h, and training learns them. The spectra of a stem's notes
add up; the ratios of the stems' sums, to a learned power, are the masks. The mixture is not read: only notes tell stems apart.
"""

import torch
from torch import Tensor, nn

from pipelines.tasks.separation.fit.notes import PITCHES

READS_NOTES = True
HARMONICS = 20
AFTER = 3
"""Frames after its end in which a note has a spectrum."""
FLOOR = 1e-3
"""Of a spectrum whose partials are about 1: what a stem has where none of its notes has a partial."""
SPEED = 20.0
"""Logarithms of spectra must change by some units, weights of networks by hundredths, at one learning rate."""


def create(n_bins: int, n_stems: int, rate: int, options) -> nn.Module:
    """Magnitudes `(batch, frames, n_bins)` and rolls `(batch, n_stems, frames, PITCHES)` -> masks `(batch, n_stems, frames,
    n_bins)`."""
    return ScoreTemplates(harmonics(n_bins, rate))


def harmonics(n_bins: int, rate: int) -> Tensor:
    """`(PITCHES, n_bins)`: partials of MIDI note p at h 440 2^((p - 69) / 12) Hz, of height 1 / h, with a deviation of a bin."""
    width = rate / 2 / (n_bins - 1)
    pitch = 440 * 2 ** ((torch.arange(PITCHES)[:, None, None] - 69) / 12)
    h = torch.arange(1, HARMONICS + 1)[None, :, None]
    distance = (torch.arange(n_bins) * width - h * pitch) / width
    return (torch.exp(-0.5 * distance**2) / h).sum(dim=1)


class ScoreTemplates(nn.Module):
    def __init__(self, templates: Tensor):
        super().__init__()
        heights = torch.tensor([0.3, 1.0, 1.0, *(0.3**n for n in range(1, AFTER + 1))])
        self.templates = nn.Parameter(torch.log(heights[:, None, None] * templates + FLOOR).flatten(0, 1) / SPEED)
        self.power = nn.Parameter(torch.tensor(1.0 / SPEED))

    def forward(self, magnitude: Tensor, rolls: Tensor) -> Tensor:
        spectra = phases(rolls) @ (SPEED * self.templates).exp() + FLOOR
        return (SPEED * self.power * spectra.log()).softmax(dim=1)


def phases(rolls: Tensor) -> Tensor:
    """`(..., frames, PITCHES)` -> `(..., frames, (3 + AFTER) * PITCHES)`: a note is about to begin, begins, is held, ended 1, 2,
    ... frames ago."""
    n_frames = rolls.shape[-2]
    earlier = [nn.functional.pad(rolls, (0, 0, n, 0))[..., :n_frames, :] for n in range(1, AFTER + 1)]
    begins = rolls * (1 - earlier[0])
    ended, sounding = [], rolls
    for before in earlier:
        ended.append(before * (1 - sounding))
        sounding = torch.maximum(sounding, before)
    soon = nn.functional.pad(begins, (0, 0, 0, 1))[..., 1:, :] * (1 - sounding)
    return torch.cat([soon, begins, rolls - begins, *ended], dim=-1)
