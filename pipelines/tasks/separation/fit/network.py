"""The fitted network of a run, and what it separates."""

from collections.abc import Mapping
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


@dataclass(frozen=True)
class Separator:
    """names: of the stems, in the order of estimates. rate: Hz. options: of the run that was fitted."""

    masker: torch.nn.Module
    names: list[str]
    rate: int
    options: Mapping[str, Any]

    def stream(self, blocks):
        """`masks.stream` with this network: estimates `(stems, samples)` of blocks `(samples,)` at `rate`."""
        options = self.options
        segment = max(round(options["segment_s"] * self.rate), options["n_fft"])
        return masks.stream(blocks, self.masker, len(self.names), options["n_fft"], options["hop"], segment)

    def separate(self, mixture: np.ndarray) -> np.ndarray:
        """`(stems, samples)` of `(samples,)`."""
        return np.concatenate([np.zeros((len(self.names), 0), np.float32), *self.stream([mixture])], axis=1)


def load(folder: Path) -> Separator:
    """Raises `ValueError` where the folder has no whole model of this family."""
    try:
        config = read_json(folder / "config.json")
        network = create(config["task"], config["model"], config["options"], len(config["stems"]))
        network.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    except (OSError, KeyError, RuntimeError, ModuleNotFoundError, safetensors.SafetensorError) as error:
        raise ValueError(f"{folder} has no whole model of a separation run: {error}"[:300]) from error
    return Separator(network.eval(), config["stems"], config["sample_rate"], config["options"])


def create(task: str, model: str, options: Mapping[str, Any], n_stems: int) -> torch.nn.Module:
    """The network of a run with fresh weights."""
    return part(task, f"models.{model}").create(options["n_fft"] // 2 + 1, n_stems, options)
