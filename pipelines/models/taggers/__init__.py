"""Published music taggers, one file each (Won et al. 2020, arXiv 2006.00751, compares them).

A tagger's file has `READS` (the representations it can be trained on -> the parameters they must have in params.yaml: features
of frames, with their `hop_length`, and "waveform"), `FRONT` (the output of its front end: a feature that it reads, "power" or
"waveform", see `inference/fronts.py`), `CHUNK` (samples at 16 kHz it was designed for) and `create(n_tags, width)`, which
returns an `nn.Module` (`layers.Tagger` has the first) with

`forward(waveform (batch, samples) float32) -> (probabilities (batch, n_tags), embedding (batch, d))`
`front(waveform) -> features`: the fixed front end; time-major `(batch, frames, bands)`, as shards of that representation hold
them, or the waveform itself. A tagger that does not read the waveform has none, and `FRONT` is what it reads
`classify(features) -> (logits (batch, n_tags), embedding (batch, d))`: everything that is trained

so that training can start from cached features, users from sound, and `classify` can be exported for any batch (sizes are
`x.shape[0]`, since `len(x)` would fix them). Tensors carry their published names.
`width` scales the channels; 1.0 is the published network. A tensor that a checkpoint need not contain (a matrix made from
constants) is a buffer with `persistent=False`.
"""

import json
import os
from pathlib import Path
from types import ModuleType

import safetensors.torch
import torch
from torch import nn

from pipelines.core import files, plugins

SAMPLE_RATE = 16_000
MAX_TAGS, MAX_WIDTH = 100_000, 4  # what a config may ask for: memory is taken by its word, before weights are seen


def load_module(name: str) -> ModuleType:
    """The file of network `name`. Raises `ValueError` as `plugins.load` does."""
    return plugins.load("tagger", "pipelines/models/taggers", name, "create")


def create(name: str, n_tags: int = 50, width: float = 1.0) -> nn.Module:
    """An untrained tagger, randomly initialised by torch's global generator, its images stored channels last.

    The weights ask for that layout, because a spectrogram of one channel has both, and the layout asked of it is lost at the
    first batch norm. CPUs convolve and pool it faster: a training step of fcn in bf16 takes two thirds of the time, one of sample
    half of it.
    """
    network = load_module(name).create(n_tags, width).to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(
            module, nn.Conv1d
        ):  # `.to` leaves three dimensions as they are, and `contiguous` a single channel
            last = module.weight.data.transpose(1, 2).clone(memory_format=torch.contiguous_format)
            module.weight.data = last.transpose(1, 2)
    return network


def load_published(name: str, path: str | os.PathLike) -> nn.Module:
    """The tagger `name` in eval mode, on the CPU, with the weights of a published checkpoint (a `.pth` of its `state_dict`).

    How many tags it has is read from the file. Only tensors are unpickled (`weights_only`), wherever they were saved. A table
    under "state_dict" is taken out of what surrounds it, `module.` or `model.` in front of every name is left out, what is
    floating-point becomes float32, and counts of batches (`num_batches_tracked`), which old files lack, may be missing. Raises
    `ValueError` that says what is wrong: not a checkpoint, truncated, another network's, or with NaN or infinite weights.
    """
    path = Path(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # what damaged bytes bring an unpickler to has no end
        raise ValueError(
            f"{path} is truncated, or not a checkpoint of tensors alone; download it again ({type(error).__name__})"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(tensor, torch.Tensor) for key, tensor in state.items()
    ):
        raise ValueError(f"{path} contains no table of tensors: a state_dict is required")
    for prefix in ("module.", "model."):
        if state and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    state = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    last = state.get("dense2.weight" if "dense2.weight" in state else "dense.weight")
    if last is None or last.ndim != 2:
        raise ValueError(f"{path} is not a checkpoint of {name}: it has no dense layer for tags")
    model = create(name, len(last))
    counts = {key: count for key, count in model.state_dict().items() if key.endswith(".num_batches_tracked")}
    state = {**counts, **state}  # of no use to a network that is not trained further
    wanted = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    found = {key: tuple(tensor.shape) for key, tensor in state.items()}
    if differing := sorted(key for key in wanted | found if wanted.get(key) != found.get(key)):
        key = differing[0]
        raise ValueError(
            f"{path} is not a checkpoint of {name}: {len(differing)} tensors differ, the first of them {key}, "
            f"{found.get(key, 'missing')} in the file, {wanted.get(key, 'none')} in the network"
        )
    if bad := sorted(key for key, tensor in state.items() if not tensor.isfinite().all()):
        raise ValueError(f"{path} contains NaN or infinite weights: {len(bad)} tensors, the first of them {bad[0]}")
    model.load_state_dict(state)
    return model.eval()


def count_tags(model: nn.Module) -> int:
    """How many tags a tagger names: its last dense layer's."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1].out_features


def save(model: nn.Module, config: dict, folder: str | os.PathLike) -> None:
    """Write `model.safetensors` and `config.json` (name, width, tags, and how it was trained) to `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    # not `save_file`, whose file nobody else may read
    (folder / "model.safetensors").write_bytes(safetensors.torch.save(tensors))
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder: str | os.PathLike) -> tuple[nn.Module, dict]:
    """(tagger in eval mode, config) from a folder `save` wrote. No pickle is read. Raises `ValueError` where the folder is not
    one, or its weights are another network's."""
    folder = Path(folder)
    config = files.read_json(folder / "config.json")
    name, tags, width = (config.get(key) if isinstance(config, dict) else None for key in ("name", "tags", "width"))
    if not (isinstance(name, str) and name.isidentifier() and isinstance(tags, list) and 0 < len(tags) <= MAX_TAGS):
        raise ValueError(
            f"{folder}/config.json is not that of a tagger: it needs name, and tags (at most {MAX_TAGS:,})"
        )
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width <= MAX_WIDTH:
        raise ValueError(f"{folder}/config.json: width is {width!r}; it must be above 0 and at most {MAX_WIDTH}")
    model = create(name, len(tags), width)
    try:
        model.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    except (safetensors.SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{folder}/model.safetensors is damaged, or not the weights of its config: {reason:.200}"
        ) from error
    return model.eval(), config
