"""A fitted model as files: arrays in `model.npz`, without pickle, and `config.json` with the model's name, voices and options."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.core.files import atomic, read_json, write_json
from pipelines.tasks import part

TASK = "sequences"


def save(
    folder: Path,
    model: str,
    voices: int,
    options: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    figures: Mapping[str, Any],
) -> None:
    """Write both files; equal arrays give equal bytes. voices: of the pieces that the model was fitted on."""
    with atomic(folder / "model.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    config = {"model": model, "voices": voices, "options": dict(options), "figures": dict(figures)}
    write_json(folder / "config.json", config)


def load(folder: Path):
    """(module of the model, the model, its number of voices) of what `save` wrote. Raises `ValueError` for a folder that
    has no whole model."""
    try:
        config = read_json(folder / "config.json")
        module = part(TASK, f"models.{config['model']}")
        with np.load(folder / "model.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return module, module.build(arrays, config["options"]), int(config["voices"])
    except (OSError, KeyError, TypeError, ImportError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{folder} has no whole model of this family ({error}): run its fit stage again") from error
