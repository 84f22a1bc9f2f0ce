"""Tensors of a user's own checkpoint: checked by its hash, and read without running code from it."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from pipelines.core.files import place, sha256

WANTED = ("path", "sha256")


def read(entry: Mapping[str, Any], where: str) -> dict[str, Tensor]:
    """Name -> tensor of the checkpoint that `entry` (`WANTED`) names: safetensors, or what torch.save wrote of a state_dict.

    Raises `ValueError` that says what is wrong with the entry `where` or its file.
    """
    if not isinstance(entry, Mapping) or set(entry) != set(WANTED):
        raise ValueError(f"{where} must be {{path: ..., sha256: ...}}")
    path = place(entry["path"])
    if not path.is_file():
        raise ValueError(f"{where}: there is no file {path}")
    if (found := sha256(path)) != entry["sha256"]:
        raise ValueError(
            f"{where}: {path} has the SHA-256 {found}, not {entry['sha256']}: get the file again, or write the new one if you "
            "mean it"
        )
    tensors = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    bad = [name for name, value in tensors.items() if not isinstance(name, str) or not isinstance(value, Tensor)]
    if bad or not tensors:
        raise ValueError(
            f"{path} is no table of tensors ({str(bad[0])!r} is none)" if bad else f"{path} has no tensors"
        )
    return tensors


def state(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple], path: Any) -> dict[str, Tensor]:
    """The tensors that `shapes` names, as float32. Raises `ValueError` that names the first which is missing, has another shape,
    or is not finite."""
    for name, shape in shapes.items():
        if name not in tensors:
            raise ValueError(f"{path} has no tensor {name!r}; it has {', '.join(sorted(tensors))[:200]}")
        if tuple(tensors[name].shape) != tuple(shape):
            raise ValueError(f"{path}: {name} has the shape {tuple(tensors[name].shape)}, and not {tuple(shape)}")
        if not torch.isfinite(tensors[name]).all():
            raise ValueError(f"{path}: {name} has values that are not finite")
    return {name: tensors[name].to(torch.float32) for name in shapes}


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged, or no safetensors file: {error}") from error


def _torch(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is no file of tensors: it has other objects, which could run code, or is no checkpoint; save its state_dict "
            "with torch.save or as safetensors"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0][:200] if str(error) else error!r}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, and no table of tensors")
    return found
