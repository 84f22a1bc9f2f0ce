"""What taggers share: the forward pass, the mel front end, and blocks with the tensor names of the published checkpoints."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

N_FFT, HOP_LENGTH = 512, 256


class Tagger(nn.Module):
    """A network with `front(waveform) -> features` and `classify(features) -> (logits, embedding)` (see `taggers`)."""

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, samples)` float32 to (probabilities `(batch, n_tags)`, embedding `(batch, d)`)."""
        logits, embedding = self.classify(self.front(waveform))
        return torch.sigmoid(logits), embedding


class Spectrogram(nn.Module):
    """|STFT|^2 `(batch, samples)` to `(batch, 257, frames)`: periodic Hann window, centred, reflected ends."""

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT))

    def forward(self, waveform: Tensor) -> Tensor:
        spectrum = torch.stft(waveform, N_FFT, HOP_LENGTH, window=self.window, pad_mode="reflect", return_complex=True)
        return spectrum.real**2 + spectrum.imag**2


class MelScale(nn.Module):
    """HTK triangles without area normalisation, 0 to 8000 Hz, as a matrix `(257, n_mels)`."""

    def __init__(self, n_mels: int):
        super().__init__()
        self.register_buffer("fb", mel_matrix(n_mels))

    def forward(self, power: Tensor) -> Tensor:
        return power.transpose(1, 2) @ self.fb


class MelSpectrogram(nn.Module):
    """Waveform `(batch, samples)` at 16 kHz to mel power in dB, `(batch, frames, n_mels)`; equals features/log_mel."""

    def __init__(self, n_mels: int):
        super().__init__()
        self.spectrogram = Spectrogram()
        self.mel_scale = MelScale(n_mels)

    def forward(self, waveform: Tensor) -> Tensor:
        power = self.mel_scale(self.spectrogram(waveform))
        return 10 * torch.log10(torch.clamp(power, min=1e-10))


def as_image(features: Tensor) -> Tensor:
    """Time-major `(batch, frames, bands)` to `(batch, 1, bands, frames)`."""
    return features.transpose(1, 2).unsqueeze(1)


def mel_matrix(n_mels: int, fmin: float = 0.0, fmax: float = 8000.0, sample_rate: int = 16_000) -> Tensor:
    """Triangular filters on the HTK scale, mel = 2595 log10(1 + f / 700), `(1 + N_FFT // 2, n_mels)` float32."""
    mels = torch.linspace(_hz_to_mel(fmin), _hz_to_mel(fmax), n_mels + 2, dtype=torch.float64)
    corners = 700 * (10 ** (mels / 2595) - 1)
    bins = torch.linspace(0, sample_rate / 2, 1 + N_FFT // 2, dtype=torch.float64)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return torch.clamp(torch.minimum(rising, falling), min=0).float()


def _hz_to_mel(frequency: float) -> float:
    return 2595 * float(torch.log10(torch.tensor(1 + frequency / 700, dtype=torch.float64)))


class Conv2d(nn.Module):
    """3 x 3 convolution, batch norm, max pooling, ReLU: pooled first, the same values are a quarter of the work for ReLU."""

    def __init__(self, n_in: int, n_out: int, pooling: int | tuple[int, int] = 2):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.bn = nn.BatchNorm2d(n_out)
        self.pool = nn.MaxPool2d(pooling)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.pool(self.bn(self.conv(x))))


class Residual2d(nn.Module):
    """Two 3 x 3 convolutions, the first with a stride, and a third around them."""

    def __init__(self, n_in: int, n_out: int, stride: int | tuple[int, int]):
        super().__init__()
        self.conv_1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1)
        self.bn_1 = nn.BatchNorm2d(n_out)
        self.conv_2 = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.bn_2 = nn.BatchNorm2d(n_out)
        self.conv_3 = nn.Conv2d(n_in, n_out, 3, stride, padding=1)
        self.bn_3 = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn_2(self.conv_2(torch.relu(self.bn_1(self.conv_1(x)))))
        return torch.relu(self.bn_3(self.conv_3(x)) + y)


class PooledResidual2d(nn.Module):
    """Two 3 x 3 convolutions, their input added, max pooling."""

    def __init__(self, n: int, pooling: int | tuple[int, int] = 2):
        super().__init__()
        self.conv_1 = nn.Conv2d(n, n, 3, padding=1)
        self.bn_1 = nn.BatchNorm2d(n)
        self.conv_2 = nn.Conv2d(n, n, 3, padding=1)
        self.bn_2 = nn.BatchNorm2d(n)
        self.pool = nn.MaxPool2d(pooling)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn_2(self.conv_2(torch.relu(self.bn_1(self.conv_1(x)))))
        return self.pool(torch.relu(x + y))


def over_time(conv: nn.Conv1d, x: Tensor) -> Tensor:
    """`conv` on an image of one row, `(batch, channels, 1, frames)`: what CPUs convolve and pool faster than a sequence."""
    return conv2d(x, conv.weight.unsqueeze(2), conv.bias, (1, conv.stride[0]), (0, conv.padding[0]))


class Conv1d(nn.Module):
    """Convolution over time, batch norm, max pooling, ReLU of `(batch, channels, 1, frames)`."""

    def __init__(self, n_in: int, n_out: int, kernel: int = 3, stride: int = 1, pooling: int = 1):
        super().__init__()
        # the published first layer (stride 3) is padded too, though 3^10 samples would tile exactly
        self.conv = nn.Conv1d(n_in, n_out, kernel, stride=stride, padding=kernel // 2)
        self.bn = nn.BatchNorm2d(n_out)
        self.pool = nn.MaxPool2d((1, pooling)) if pooling > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.pool(self.bn(over_time(self.conv, x))))


def channels(published: int, width: float) -> int:
    """A layer's channels at `width`, at least 4."""
    return max(4, round(published * width))
