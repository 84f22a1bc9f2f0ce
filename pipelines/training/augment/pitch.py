"""Time stretching and transposition: of samples by a phase vocoder (Flanagan and Golden 1966), of frames by interpolation.

What a faster chunk lacks at its end is filled by its beginning, as a clip that is shorter than a chunk is repeated.
"""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import torch
from torch import Tensor

from pipelines.core import torchaudio

N_FFT, HOP = 1_024, 256
PARTS = 4
"""Of a batch: each has one rate, because the phase vocoder takes one."""
DENOMINATOR = 24
"""The largest of a transposition's ratio, for short resampling filters: it is then up to 2 cents off."""


def stretched_sound(waveform: Tensor, stretch: float) -> Tensor:
    """`(batch, samples)`, at rates from `1 / (1 + stretch)` to `1 + stretch`."""
    return _by_part(waveform, math.log(1 + stretch), lambda part, drawn: vocoded(part, math.exp(drawn)))


def transposed(waveform: Tensor, semitones: float) -> Tensor:
    """`(batch, samples)`, up to `semitones` higher or lower."""

    def one(part: Tensor, drawn: float) -> Tensor:
        ratio = Fraction(2 ** (drawn / 12)).limit_denominator(DENOMINATOR)
        longer = vocoded(part, 1 / float(ratio))
        return torchaudio.load().functional.resample(longer, ratio.numerator, ratio.denominator)

    return _by_part(waveform, semitones, one)


def vocoded(waveform: Tensor, rate: float) -> Tensor:
    """`(batch, samples)` played `rate` times as fast at the same pitch: `(batch, samples / rate)`."""
    window = torch.hann_window(N_FFT, device=waveform.device)
    spectrum = torch.stft(waveform, N_FFT, HOP, window=window, return_complex=True)
    advance = torch.linspace(0, math.pi * HOP, 1 + N_FFT // 2, device=waveform.device)[:, None]
    spectrum = torchaudio.load().functional.phase_vocoder(spectrum, rate, advance)
    return torch.istft(spectrum, N_FFT, HOP, window=window, length=round(waveform.shape[1] / rate))


def stretched_frames(features: Tensor, stretch: float) -> Tensor:
    """`(batch, frames, bands)`, at rates from `1 / (1 + stretch)` to `1 + stretch`."""
    n, size, _ = features.shape
    rate = (1 + stretch) ** (2 * torch.rand((n, 1), device=features.device) - 1)
    return _between(features, torch.arange(size, device=features.device) * rate % size, wrap=True)


def moved(features: Tensor, n_bands: float) -> Tensor:
    """`(batch, frames, bands)`, moved by up to `n_bands` bands up or down; the outermost band fills what is left.

    In a constant-Q spectrum this is a transposition. In a mel spectrum it is about one above 1 kHz; below, where the scale is
    nearly linear, it moves partials by equal numbers of Hz.
    """
    size = features.shape[2]
    by = n_bands * (2 * torch.rand((len(features), 1), device=features.device) - 1)
    at = (torch.arange(size, device=features.device) - by).clamp(0, size - 1)
    return _between(features.transpose(1, 2), at, wrap=False).transpose(1, 2)


def _between(rows: Tensor, at: Tensor, wrap: bool) -> Tensor:
    """`(batch, rows, columns)` at fractional rows `at` `(batch, n)` by linear interpolation. wrap: the first follows the last."""
    size = rows.shape[1]
    low = at.floor().long().clamp(max=size - 1)
    high = (low + 1) % size if wrap else (low + 1).clamp(max=size - 1)
    share = (at - low)[..., None]
    first, second = (rows.gather(1, each[..., None].expand(-1, -1, rows.shape[2])) for each in (low, high))
    return first + share * (second - first)


def _by_part(waveform: Tensor, largest: float, change: Callable[[Tensor, float], Tensor]) -> Tensor:
    """`change(part, drawn)` of each part of the batch, `drawn` evenly from `-largest` to `largest`, repeated or cut to its
    length."""

    def each() -> Iterator[Tensor]:
        for part in waveform.tensor_split(min(PARTS, len(waveform))):
            found = change(part, largest * (2 * float(torch.rand(())) - 1))
            yield found.repeat(1, -(-waveform.shape[1] // found.shape[1]))[:, : waveform.shape[1]]

    return torch.cat(list(each()))
