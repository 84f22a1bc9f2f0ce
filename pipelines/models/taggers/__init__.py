"""Music taggers of the literature, one file each (Won et al. 2020, arXiv 2006.00751, compares them).

A tagger's file has `INPUT` (what `classify` reads: "log_mel", the cached feature, or "waveform"), `CHUNK` (samples at
16 kHz it was designed for) and `create(n_tags, width)`, which returns an `nn.Module` with

`forward(waveform (batch, samples) float32) -> (probabilities (batch, n_tags), embedding (batch, d))`
`front(waveform) -> features`: the fixed front end; time-major `(batch, frames, bands)`, or the waveform itself
`classify(features) -> (logits (batch, n_tags), embedding (batch, d))`: everything that is trained

so that training can start from cached features, and users from sound. Tensors carry their published names.
`width` scales the channels; 1.0 is the published network.
"""

import importlib
import json
import os
from pathlib import Path
from types import ModuleType

import safetensors.torch
from torch import nn

SAMPLE_RATE = 16_000


def load_module(name: str) -> ModuleType:
    """The file of tagger `name`. Raises `ValueError` naming the file to write where there is none."""
    try:
        return importlib.import_module(f"pipelines.models.taggers.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"pipelines.models.taggers.{name}":
            raise
        raise ValueError(
            f"no tagger {name!r}: write pipelines/models/taggers/{name}.py (see its neighbours)"
        ) from error


def create(name: str, n_tags: int = 50, width: float = 1.0) -> nn.Module:
    """An untrained tagger, randomly initialised by torch's global generator."""
    return load_module(name).create(n_tags, width)


def save(model: nn.Module, config: dict, folder: str | os.PathLike) -> None:
    """Write `model.safetensors` and `config.json` (name, width, tags, and how it was trained) to `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder: str | os.PathLike) -> tuple[nn.Module, dict]:
    """(tagger in eval mode, config) from a folder `save` wrote. No pickle is read."""
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = create(config["name"], len(config["tags"]), config["width"])
    model.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    return model.eval(), config
