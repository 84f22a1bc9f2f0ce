"""The spectral features in torch and torchaudio, on `(batch, samples)` float32 tensors: one front end for a GPU.

The same filters, padding and definitions as the features of the same names, with the same defaults, and the same
numbers within 1e-4 of their maximum: the transform is in float32, so that bins 140 dB below a frame's loudest are
rounding, which flatness beside pure tones shows. Clips of a batch are equally long; what refers to a clip's maximum
takes each clip's own. Results are `(batch, n_frames, bands)` on the signal's device. On a CPU the features themselves
are faster.
"""

import inspect
from functools import lru_cache

import torch
from torch.nn.functional import pad as torch_pad

from pipelines.core import torchaudio
from pipelines.features.kernels import cepstrum, mel
from pipelines.features.kernels import chroma as chroma_kernel
from pipelines.features.kernels import stft as stft_kernel

TINY = torch.finfo(torch.float32).tiny


def supports(name: str, parameters: dict | None) -> bool:
    """Is there a feature of that name here, with all of these parameters? (No deltas, and no tuning to estimate.)"""
    function = globals().get(name)
    given = parameters or {}
    known = inspect.signature(function).parameters if inspect.isfunction(function) and "_" != name[0] else {}
    return "sample_rate" in known and set(given) <= set(known) and given.get("tuning", 0.0) is not None


def stft(y: torch.Tensor, sample_rate: int, n_fft: int = 2048, hop_length: int = 512) -> torch.Tensor:
    """Magnitudes, bands `1 + n_fft // 2`."""
    return _spectrum(y, n_fft, hop_length).abs()


def log_mel(
    y: torch.Tensor,
    sample_rate: int,
    n_fft: int = 512,
    hop_length: int = 256,
    n_mels: int = 128,
    fmin: float = 0,
    fmax: float | None = 8000,
) -> torch.Tensor:
    """dB, in the taggers' convention."""
    power = _power(y, n_fft, hop_length, "reflect")
    return _decibel(power @ _mel(sample_rate, n_fft, n_mels, fmin, fmax, True, None, power.device))


def log_mel_slaney(
    y: torch.Tensor,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0,
    fmax: float | None = None,
) -> torch.Tensor:
    """dB, in librosa's convention: no lower than 80 dB below each clip's loudest."""
    power = _power(y, n_fft, hop_length)
    values = _decibel(power @ _mel(sample_rate, n_fft, n_mels, fmin, fmax, False, "slaney", power.device))
    return torch.maximum(values, values.amax(dim=(1, 2), keepdim=True) - mel.TOP_DB)


def log_mel_hifigan(
    y: torch.Tensor,
    sample_rate: int,
    n_fft: int = 1024,
    hop_length: int = 256,
    n_mels: int = 80,
    fmin: float = 0,
    fmax: float | None = 8000,
) -> torch.Tensor:
    """Natural logarithm of magnitude, frames not centred."""
    power = _power(y, n_fft, hop_length, "reflect", max(0, n_fft - hop_length) // 2)
    filters = _mel(sample_rate, n_fft, n_mels, fmin, fmax, False, "slaney", power.device)
    return (torch.sqrt(power + 1e-9) @ filters).clamp(min=1e-5).log()


def mfcc(
    y: torch.Tensor,
    sample_rate: int,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    n_mfcc: int = 20,
    fmin: float = 0,
    fmax: float | None = None,
    lifter: float = 0,
) -> torch.Tensor:
    """Coefficients, without deltas."""
    values = log_mel_slaney(y, sample_rate, n_fft, hop_length, n_mels, fmin, fmax)
    return values @ torch.from_numpy(cepstrum.cosines(n_mels, n_mfcc, lifter)).to(values.device)


def chroma_stft(
    y: torch.Tensor, sample_rate: int, n_fft: int = 2048, hop_length: int = 512, n_chroma: int = 12, tuning: float = 0.0
) -> torch.Tensor:
    """Shares of the largest pitch class; the tuning is given, not estimated."""
    filters = torch.from_numpy(chroma_kernel.chroma_filters(sample_rate, n_fft, n_chroma, tuning)).to(y.device)
    raw = _power(y, n_fft, hop_length) @ filters
    largest = raw.amax(dim=2, keepdim=True)
    return raw / torch.where(largest < TINY, 1.0, largest)


def spectral_centroid(y: torch.Tensor, sample_rate: int, n_fft: int = 2048, hop_length: int = 512) -> torch.Tensor:
    """Hz."""
    total, first, _ = _moments(y, sample_rate, n_fft, hop_length)
    return (first / total).float()[..., None]


def spectral_bandwidth(y: torch.Tensor, sample_rate: int, n_fft: int = 2048, hop_length: int = 512) -> torch.Tensor:
    """Hz."""
    total, first, second = _moments(y, sample_rate, n_fft, hop_length)
    return (second / total - (first / total) ** 2).clamp(min=0).sqrt().float()[..., None]


def spectral_rolloff(
    y: torch.Tensor, sample_rate: int, n_fft: int = 2048, hop_length: int = 512, roll_percent: float = 0.85
) -> torch.Tensor:
    """Hz."""
    running = _spectrum(y, n_fft, hop_length).abs().cumsum(dim=2)
    place = (running < roll_percent * running[..., -1:]).sum(dim=2, keepdim=True)
    return torch.from_numpy(stft_kernel.frequencies(sample_rate, n_fft)).float().to(y.device)[place]


def spectral_flatness(y: torch.Tensor, sample_rate: int, n_fft: int = 2048, hop_length: int = 512) -> torch.Tensor:
    """0 to 1."""
    power = _power(y, n_fft, hop_length).clamp(min=1e-10)
    return power.log().mean(dim=2, keepdim=True).exp() / power.mean(dim=2, keepdim=True)


def rms(y: torch.Tensor, sample_rate: int, frame_length: int = 2048, hop_length: int = 512) -> torch.Tensor:
    """Full scale is 1."""
    return _frames(y, frame_length, hop_length, "constant").square().mean(dim=2, keepdim=True).sqrt()


def zero_crossing_rate(
    y: torch.Tensor, sample_rate: int, frame_length: int = 2048, hop_length: int = 512
) -> torch.Tensor:
    """Crossings a sample."""
    negative = _frames(y, frame_length, hop_length, "replicate") < -1e-10
    return (negative[..., 1:] != negative[..., :-1]).sum(dim=2, keepdim=True) / frame_length


def _spectrum(
    y: torch.Tensor, n_fft: int, hop_length: int, mode: str = "constant", pad: int | None = None
) -> torch.Tensor:
    """Complex `(batch, n_frames, 1 + n_fft // 2)`."""
    pad = n_fft // 2 if pad is None else pad
    window = torch.from_numpy(stft_kernel.window(n_fft)).to(y.device)
    spectrogram = torchaudio.load().functional.spectrogram
    padded = _padded(y, pad, mode)
    return spectrogram(padded, 0, window, n_fft, hop_length, n_fft, power=None, normalized=False, center=False).mT


def _power(
    y: torch.Tensor, n_fft: int, hop_length: int, mode: str = "constant", pad: int | None = None
) -> torch.Tensor:
    spectrum = _spectrum(y, n_fft, hop_length, mode, pad)
    return spectrum.real.square() + spectrum.imag.square()


def _moments(y: torch.Tensor, sample_rate: int, n_fft: int, hop_length: int) -> tuple[torch.Tensor, ...]:
    """Sums of m, m f, m f^2 over bins, `(batch, n_frames)` float64 each, the first never 0."""
    magnitude = _spectrum(y, n_fft, hop_length).abs().double()
    hz = torch.from_numpy(stft_kernel.frequencies(sample_rate, n_fft)).to(y.device)
    return magnitude.sum(dim=2).clamp(min=TINY), magnitude @ hz, magnitude @ hz**2


def _frames(y: torch.Tensor, frame_length: int, hop_length: int, mode: str) -> torch.Tensor:
    return _padded(y, frame_length // 2, mode).unfold(1, frame_length, hop_length)


def _padded(y: torch.Tensor, pad: int, mode: str) -> torch.Tensor:
    mode = "constant" if mode == "reflect" and y.shape[1] <= pad else mode
    return torch_pad(y[:, None], (pad, pad), mode=mode)[:, 0]


def _decibel(power: torch.Tensor) -> torch.Tensor:
    return torchaudio.load().functional.amplitude_to_DB(power, 10.0, 1e-10, 0.0)


@lru_cache
def _mel(sample_rate, n_fft, n_mels, fmin, fmax, htk, norm, on) -> torch.Tensor:
    """Mel filters `(1 + n_fft // 2, n_mels)` on a device."""
    filters = mel.mel_filters(sample_rate, n_fft, n_mels, fmin, fmax, htk, norm)
    return torch.from_numpy(mel.dense(filters, 1 + n_fft // 2).T.copy()).to(on)
