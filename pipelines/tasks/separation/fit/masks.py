"""Spectrograms, ratio masks, and the separation of a signal of any length with masks.

A mask m_j of stem j multiplies the mixture's spectrogram X: the estimate is the inverse STFT of m_j X. Masks that add up to 1
make estimates that add up to the mixture. Of several channels, all have the masks of their mean, and differ by the Wiener filter.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from pipelines.tasks.separation.fit import wiener

Masker = Callable[[Tensor, int], Tensor]
"""Magnitudes `(batch, frames, bins)` and the sample at which they begin -> masks `(batch, stems, frames, bins)`."""


def spectrogram(signals: Tensor, n_fft: int, hop: int) -> Tensor:
    """`(..., samples)` -> complex `(..., frames, bins)`."""
    window = torch.hann_window(n_fft)
    flat = signals.reshape(-1, signals.shape[-1])
    flat = torch.nn.functional.pad(flat, (0, -flat.shape[-1] % hop))  # the last samples too lie between two frames
    # zeros around it: a signal shorter than half a window has nothing to reflect
    found = torch.stft(flat, n_fft, hop, window=window, pad_mode="constant", return_complex=True)
    return found.transpose(1, 2).unflatten(0, signals.shape[:-1])


def inverse(spectra: Tensor, length: int, n_fft: int, hop: int) -> Tensor:
    """Complex `(..., frames, bins)` -> `(..., length)`."""
    flat = spectra.flatten(0, -3).transpose(1, 2)
    found = torch.istft(flat, n_fft, hop, window=torch.hann_window(n_fft), length=length)
    return found.unflatten(0, spectra.shape[:-2])


def ideal_ratio(stems: Tensor, power: float) -> Tensor:
    """Masks |S_j|^power / sum_i |S_i|^power of complex stems `(stems, frames, bins)`; equal ones where all are silent."""
    magnitudes = stems.abs() ** power
    total = magnitudes.sum(dim=0)
    return torch.where(total > 0, magnitudes / total.clamp(min=1e-30), 1 / len(stems))


def decibels(magnitude: Tensor) -> Tensor:
    """Magnitudes `(batch, frames, bins)` in dB relative to the loudest of each signal, from 1 (loudest) to -1 (80 dB below), so
    that a gain changes no mask."""
    loudest = magnitude.amax(dim=(1, 2), keepdim=True).clamp(min=1e-8)
    return 1 + torch.log10(magnitude / loudest + 1e-4) / 2


@torch.no_grad()
def stream(
    blocks: Iterable[np.ndarray], masker: Masker, n_fft: int, hop: int, segment: int, iterations: int = 0
) -> Iterator[np.ndarray]:
    """Estimates `(stems, channels, samples)` of a signal that comes in blocks `(channels, samples)` of any length; together they
    are as long as the signal.

    Segments of `segment` samples overlap by half and are added with a triangular weight that adds up to 1, so that no edge is
    heard. Memory holds a segment and the longest block. A signal of one segment is separated at once. iterations: of the Wiener
    filter.
    """
    half = segment // 2
    rise = (np.arange(half, dtype=np.float32) + np.float32(0.5)) / half
    waiting, tail, first = None, None, 0

    def one(part: np.ndarray) -> np.ndarray:
        spectra = spectrogram(torch.from_numpy(part), n_fft, hop)
        masks = masker(spectra.mean(dim=0, keepdim=True).abs(), first)[0]
        estimates = wiener.filtered(masks[:, None] * spectra, spectra, iterations)
        return inverse(estimates, part.shape[1], n_fft, hop).numpy()

    def joined(found: np.ndarray, last: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """(what is finished, what the next segment is added to)."""
        if tail is not None:
            found[..., :half] = tail + found[..., :half] * rise
        return (found, None) if last else (found[..., :half], found[..., half:] * rise[::-1])

    for block in blocks:
        block = np.asarray(block, np.float32)
        waiting = block if waiting is None else np.concatenate([waiting, block], axis=1)
        while waiting.shape[1] > 2 * half:  # a segment that is not the last
            ready, tail = joined(one(waiting[:, : 2 * half]), last=False)
            yield ready
            waiting, first = waiting[:, half:], first + half
    if waiting is not None and waiting.shape[1]:  # after a segment it is longer than half of one
        yield joined(one(waiting), last=True)[0]
