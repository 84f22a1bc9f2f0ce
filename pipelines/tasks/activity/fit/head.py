"""The fitted head of a run, and what it says of frames."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from scipy.ndimage import median_filter

from pipelines.core.files import read_json
from pipelines.tasks import part
from pipelines.tasks.activity.fit import frames


@dataclass(frozen=True)
class Head:
    """config: as `fit` wrote it."""

    module: torch.nn.Module
    mean: torch.Tensor
    deviation: torch.Tensor
    config: dict

    @torch.no_grad()
    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """`(frames, bands)` -> `(frames, classes)`."""
        x = frames.stacked(values, np.arange(len(values)), self.config["options"]["context"])
        return torch.sigmoid(self.module((torch.from_numpy(x) - self.mean) / self.deviation)).numpy()

    def active(self, probabilities: np.ndarray) -> np.ndarray:
        """`(frames, classes)` bool: above the thresholds, after a median filter over time."""
        options = self.config["options"]
        said = probabilities >= np.array(self.config["thresholds"])
        width = 2 * round(options["smooth_s"] / options["hop_s"] / 2) + 1
        return median_filter(said.astype(np.uint8), size=(width, 1), mode="nearest").astype(bool)


def load(folder: Path) -> Head:
    """Raises `ValueError` where the folder has no whole model of this family."""
    try:
        config = read_json(folder / "config.json")
        tensors = safetensors.torch.load_file(folder / "model.safetensors")
        module = part(config["task"], f"models.{config['model']}").create(
            config["inputs"], len(config["classes"]), config["options"]
        )
        module.load_state_dict({name[5:]: value for name, value in tensors.items() if name.startswith("head.")})
        return Head(module.eval(), tensors["mean"], tensors["deviation"], config)
    except (OSError, KeyError, RuntimeError, ModuleNotFoundError, safetensors.SafetensorError) as error:
        raise ValueError(f"{folder} has no whole model of an activity run: {error}"[:300]) from error
