"""The fitted network of a run, and what it separates."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from pipelines.core.files import read_json
from pipelines.tasks import part
from pipelines.tasks.separation.fit import masks
from pipelines.tasks.separation.fit.notes import Notes, roll


@dataclass(frozen=True)
class Separator:
    """names: of the stems, in the order of estimates. rate: Hz. options: of the run that was fitted. reads_notes: does the
    network read the notes of the stems beside the mixture?"""

    network: torch.nn.Module
    names: list[str]
    rate: int
    options: Mapping[str, Any]
    reads_notes: bool = False

    def stream(self, blocks: Iterable[np.ndarray], notes: Notes | None = None) -> Iterator[np.ndarray]:
        """`masks.stream` with this network: estimates `(stems, channels, samples)` of blocks `(channels, samples)` at `rate`."""
        n_fft, hop = self.options["n_fft"], self.options["hop"]
        segment = max(round(self.options["segment_s"] * self.rate), n_fft)

        def masker(magnitude: torch.Tensor, first: int) -> torch.Tensor:
            if not self.reads_notes:
                return self.network(magnitude)
            found = roll(notes, magnitude.shape[1], hop / self.rate, first / self.rate)
            return self.network(magnitude, torch.from_numpy(found)[None])

        return masks.stream(blocks, masker, n_fft, hop, segment, self.options["wiener"])

    def separate(self, mixture: np.ndarray, notes: Notes | None = None) -> np.ndarray:
        """`(stems, samples)` of `(samples,)`."""
        found = [part[:, 0] for part in self.stream([mixture[None]], notes)]
        return np.concatenate([np.zeros((len(self.names), 0), np.float32), *found], axis=1)


def load(folder: Path) -> Separator:
    """Raises `ValueError` where the folder has no whole model of this family."""
    try:
        config = read_json(folder / "config.json")
        options, names, rate = config["options"], config["stems"], config["sample_rate"]
        network = create(config["task"], config["model"], options, len(names), rate)
        network.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    except (OSError, KeyError, RuntimeError, ModuleNotFoundError, safetensors.SafetensorError) as error:
        raise ValueError(f"{folder} has no whole model of a separation run: {error}"[:300]) from error
    return Separator(network.eval(), names, rate, options, reads_notes(config["task"], config["model"]))


def create(task: str, model: str, options: Mapping[str, Any], n_stems: int, rate: int) -> torch.nn.Module:
    """The network of a run with fresh weights."""
    return part(task, f"models.{model}").create(options["n_fft"] // 2 + 1, n_stems, rate, options)


def reads_notes(task: str, model: str) -> bool:
    """Does the model read the notes of the stems?"""
    return getattr(part(task, f"models.{model}"), "READS_NOTES", False)
