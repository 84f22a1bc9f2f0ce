"""What the networks share: a step as a vector, random keys and places, training, and weights as a file.

Everything runs on one thread, so that the same seed gives the same weights; a training that was killed begins anew.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from pipelines.core.files import atomic
from pipelines.tasks.continuation.fit.windows import VOICES, Windows
from pipelines.training import loop

PITCHES = 128
QUARTER = 4  # steps
FARTHEST = 6
"""Semitones by which training windows are transposed at most, up and down."""
DECAY, BETAS = 0.01, (0.9, 0.999)
AT_ONCE = 256  # windows, when nothing is learned


class Steps(nn.Module):
    """Steps `(n, steps, 8)` as vectors `(n, steps, width)`: an embedding of each voice's pitch, of the place in the quarter, and
    which notes begin."""

    def __init__(self, embedding: int):
        super().__init__()
        self.pitch = nn.ModuleList(nn.Embedding(PITCHES + 1, embedding) for _ in range(VOICES))
        self.phase = nn.Embedding(QUARTER, embedding)
        self.width = (VOICES + 1) * embedding + VOICES

    def forward(self, steps: Tensor, phase: Tensor) -> Tensor:
        parts = [table(steps[..., voice]) for voice, table in enumerate(self.pitch)]
        return torch.cat([*parts, self.phase(phase), steps[..., VOICES:].float()], dim=-1)


def train(
    network: nn.Module, losses: Iterator[Tensor], validation: Callable[[], float], updates: int, rate: float
) -> dict:
    """As `training.loop.train`, with the weight decay and the moments of both networks."""
    return loop.train(network, losses, validation, updates=updates, rate=rate, decay=DECAY, betas=BETAS)


def save(network: nn.Module, folder: Path) -> None:
    """Write model.safetensors; equal weights give equal bytes."""
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    with atomic(folder / "model.safetensors") as temporary:
        temporary.write_bytes(safetensors.torch.save(weights))


def load(network: nn.Module, folder: Path) -> nn.Module:
    """The network with the weights of a folder, ready to answer. Raises `ValueError` where they are not its own."""
    try:
        network.load_state_dict(safetensors.torch.load((folder / "model.safetensors").read_bytes()))
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise ValueError(f"{folder} has no whole model of this family ({error}): run its fit stage again") from error
    return network.eval()


def pieces(windows: Windows) -> list[np.ndarray]:
    """The windows of each piece end to end, `(steps, 8)`."""
    return [np.concatenate(windows.grids[windows.piece == piece]) for piece in range(len(windows.clips))]


def in_other_keys(grids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Windows `(n, steps, 8)`, each moved by up to `FARTHEST` semitones, as far as its pitches stay in 1 to 127."""
    pitch = grids[..., :VOICES].astype(int)
    high, low = pitch.max(axis=(1, 2)), np.where(pitch > 0, pitch, PITCHES).min(axis=(1, 2))
    by = rng.integers(-FARTHEST, FARTHEST + 1, len(grids))
    by = np.clip(by, 1 - low, PITCHES - 1 - high)
    moved = np.where(pitch > 0, pitch + by[:, None, None], 0)
    return np.concatenate([moved.astype(np.uint8), grids[..., VOICES:]], axis=-1)


def tensor(grids: np.ndarray) -> Tensor:
    """Integers `(n, steps, 8)`."""
    return torch.from_numpy(grids.astype(np.int64))


def unique(grids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(different windows `(m, steps, 8)`, of each window its number among them): windows recur in many pairs."""
    found, number = np.unique(grids.reshape(len(grids), -1), axis=0, return_inverse=True)
    return found.reshape(-1, *grids.shape[1:]), number.ravel()
