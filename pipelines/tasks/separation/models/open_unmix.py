"""Masks by a user's own Open-Unmix checkpoints (Stöter et al. 2019), one a stem: converted, and not trained.

`weights` of the run names them: {vocals: {path: vocals.pth, sha256: ...}, ...}, the stems of the run. `hidden`, `layers` and
`n_fft` of the run must be those of the checkpoints (umxhq: 512, 3 and 4096 at 44,100 Hz). Networks of two channels read the mean
of the channels on both. Each gives a magnitude of its stem; their ratios are the masks, so that stems add up to the mixture.
"""

import torch
from torch import Tensor, nn

from pipelines.tasks.separation.fit import checkpoints

PASSED_OVER = ("stft.", "transform.", "sample_rate")
"""Tensors of some versions that are no weights."""


def create(n_bins: int, n_stems: int, rate: int, options) -> nn.Module:
    """Magnitudes `(batch, frames, n_bins)` -> masks `(batch, n_stems, frames, n_bins)`."""
    return OpenUnmix(n_bins, n_stems, options["hidden"], options["layers"])


def from_checkpoints(options, names: list[str]) -> dict[str, Tensor]:
    """The state_dict of `create`'s network. Raises `ValueError` that names the file, and the tensor, that does not fit."""
    weights, n_bins, found = options["weights"], options["n_fft"] // 2 + 1, {}
    if set(weights) != set(names):
        raise ValueError(
            f"`weights` names {', '.join(weights) or 'nothing'}: the model open_unmix needs {{path, sha256}} of each stem, "
            f"{', '.join(names)}"
        )
    for number, name in enumerate(names):
        tensors = checkpoints.read(weights[name], f"weights.{name}")
        state = converted(tensors, n_bins, options["hidden"], options["layers"], weights[name]["path"])
        found |= {f"targets.{number}.{key}": value for key, value in state.items()}
    return found


def converted(tensors: dict[str, Tensor], n_bins: int, hidden: int, layers: int, path) -> dict[str, Tensor]:
    """The tensors of an Open-Unmix checkpoint of one or two channels as those of `Target`, which has two outputs and reads all
    bins: bins that the checkpoint does not read have weights of 0."""
    tensors = {name: value for name, value in tensors.items() if not name.startswith(PASSED_OVER)}
    target = Target(n_bins, hidden, layers).state_dict()
    shapes = {name: tuple(value.shape) for name, value in target.items() if "num_batches" not in name}
    n_read = tensors["input_mean"].numel() if "input_mean" in tensors else n_bins
    wide = tensors["fc3.weight"].shape[0] if "fc3.weight" in tensors else 2 * n_bins
    channels = max(wide // n_bins, 1)
    if channels > 2 or n_read > n_bins:
        raise ValueError(
            f"{path} has {wide} outputs and reads {n_read} bins: with n_fft {2 * (n_bins - 1)} that is no network of one or two "
            "channels; give the run its n_fft"
        )
    shapes |= {"input_mean": (n_read,), "input_scale": (n_read,), "fc1.weight": (hidden, channels * n_read)}
    shapes |= {"fc3.weight": (channels * n_bins, hidden)}
    shapes |= {f"bn3.{name}": (channels * n_bins,) for name in ("weight", "bias", "running_mean", "running_var")}
    try:
        found = checkpoints.state(tensors, shapes, path)
    except ValueError as error:
        raise ValueError(f"{error}: is it of Open-Unmix, with hidden {hidden} and layers {layers}?") from error
    if unknown := set(tensors) - set(target):
        raise ValueError(f"{path} has the tensor {min(unknown)!r}, which Open-Unmix of {layers} layers has not")
    # both channels read the same magnitudes: their weights add up
    first = found["fc1.weight"].unflatten(1, (channels, n_read)).sum(dim=1)
    found["fc1.weight"] = nn.functional.pad(first, (0, n_bins - n_read))
    for name in ("input_mean", "input_scale"):
        found[name] = nn.functional.pad(found[name], (0, n_bins - n_read))
    if channels == 1:
        found |= {name: torch.cat([value, value]) for name, value in found.items() if name.startswith(("fc3.", "bn3."))}
    return {name: found.get(name, value) for name, value in target.items()}


class OpenUnmix(nn.Module):
    def __init__(self, n_bins: int, n_stems: int, hidden: int, layers: int):
        super().__init__()
        self.targets = nn.ModuleList(Target(n_bins, hidden, layers) for _ in range(n_stems))

    def forward(self, magnitude: Tensor) -> Tensor:
        found = torch.stack([target(magnitude) for target in self.targets], dim=1)
        total = found.sum(dim=1, keepdim=True)
        return torch.where(total > 0, found / total.clamp(min=1e-30), 1 / len(self.targets))


class Target(nn.Module):
    """Open-Unmix's network of one stem, with its names of tensors. Gives gains of the mixture, 0 or more, `(batch, frames,
    bins)`."""

    def __init__(self, n_bins: int, hidden: int, layers: int):
        super().__init__()
        for name in ("input_mean", "input_scale", "output_mean", "output_scale"):
            self.register_parameter(name, nn.Parameter(torch.ones(n_bins)))
        self.fc1, self.bn1 = nn.Linear(n_bins, hidden, bias=False), nn.BatchNorm1d(hidden)
        self.lstm = nn.LSTM(hidden, hidden // 2, layers, batch_first=True, bidirectional=True)
        self.fc2, self.bn2 = nn.Linear(hidden + 2 * (hidden // 2), hidden, bias=False), nn.BatchNorm1d(hidden)
        self.fc3, self.bn3 = nn.Linear(hidden, 2 * n_bins, bias=False), nn.BatchNorm1d(2 * n_bins)

    def forward(self, magnitude: Tensor) -> Tensor:
        x = torch.tanh(norm(self.bn1, self.fc1((magnitude + self.input_mean) * self.input_scale)))
        x = torch.cat([x, self.lstm(x)[0]], dim=-1)
        x = torch.relu(norm(self.bn2, self.fc2(x)))
        x = norm(self.bn3, self.fc3(x)).unflatten(-1, (2, -1))
        return torch.relu(x * self.output_scale + self.output_mean).mean(dim=-2)


def norm(layer: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Of the last axis."""
    return layer(x.flatten(0, -2)).unflatten(0, x.shape[:-1])
