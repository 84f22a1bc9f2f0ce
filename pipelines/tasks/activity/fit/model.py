"""The fitted model of a run, and what it says of the units of a clip."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch

from pipelines.core.files import read_json
from pipelines.tasks import part
from pipelines.tasks.activity.fit import decisions, heads, network, units


@dataclass(frozen=True)
class Model:
    """config: as `fit` wrote it."""

    module: heads.Head | network.Network
    config: dict[str, Any]

    def probabilities(self, data: units.Units, clip) -> np.ndarray:
        """`(units, classes)` float32; of frames after the median filter of the option `smooth_s`."""
        p = self.raw(data, clip)
        return decisions.smoothed(p, self.config["options"]["smooth_s"], data.hop_s) if data.level == "frame" else p

    def raw(self, data: units.Units, clip) -> np.ndarray:
        """`(units, classes)` float32, as the model gives them."""
        return self.module.probabilities(data, clip)

    def active(self, p: np.ndarray) -> np.ndarray:
        """`(units, classes)` bool: what `probabilities` reach their thresholds."""
        return p >= np.array(self.config["thresholds"], np.float32)

    def in_events(self, data: units.Units, raw: np.ndarray) -> np.ndarray:
        """`(frames, classes)` bool, whose runs are the events."""
        if self.config["events"] is None:
            return self.active(decisions.smoothed(raw, self.config["options"]["smooth_s"], data.hop_s))
        columns = [
            decisions.smoothed(raw[:, [place]], chosen["smooth_s"], data.hop_s) >= chosen["threshold"]
            for place, chosen in enumerate(self.config["events"])
        ]
        return np.concatenate(columns, axis=1)


def load(folder: Path) -> Model:
    """Raises `ValueError` where the folder has no whole model of this family."""
    try:
        config = read_json(folder / "config.json")
        tensors = safetensors.torch.load_file(folder / "model.safetensors")
        n_classes, options = len(config["classes"]), config["options"]
        source = part(config["task"], f"models.{config['model']}")
        own = {name[6:]: value for name, value in tensors.items() if name.startswith("model.")}
        if hasattr(source, "network"):
            module = source.network(n_classes, config["inputs"], options["width"])
            module.load_state_dict(own)
            return Model(network.Network(module.eval()), config)
        module = heads.create(config["task"], config["model"], config["inputs"], n_classes, options)
        module.load_state_dict(own)
        return Model(heads.Head(module.eval(), tensors["mean"], tensors["deviation"], options["context"]), config)
    except (OSError, KeyError, RuntimeError, ModuleNotFoundError, safetensors.SafetensorError) as error:
        raise ValueError(f"{folder} has no whole model of an activity run: {error}"[:300]) from error
