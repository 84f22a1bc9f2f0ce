"""Training recipes: `recipes` of params.yaml with the changes of a tagger's entry, their optimisers and schedules.

A recipe is a list of phases, each of which starts from the best weights so far, and settings of all phases:

- `phases`: `optimizer` (`OPTIMIZERS`), `learning_rate`, `epochs`, and if need be `weight_decay`, `momentum` (Nesterov's) and
  `schedule` (`SCHEDULES`; constant)
- `monitor`: the validation figure that chooses the best weights, `roc_auc` or `loss` (cross-entropy of clips' mean scores)
- `patience`: epochs without improvement that end a phase; 0: off
- `batch_size`, `chunks_per_clip` (random chunks of each clip an epoch), `precision` (`auto`, `32-true`, `bf16-mixed`)
- `augment`: as in `pipelines/training/augment/__init__.py`; {}: none

A recipe without phases trains nothing: a tagger of it has published weights (`weights` in its entry).
"""

import math
import os
from typing import Any

import torch
from torch import nn

OPTIMIZERS = {
    "adam": torch.optim.Adam,  # weight decay is added to the gradient, as the published code has it
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
SCHEDULES = {
    "constant": lambda step, steps: 1.0,
    # up over the first tenth, then a cosine to zero
    "cosine": lambda step, steps: min(
        (step + 1) / max(1, steps // 10), 0.5 * (1 + math.cos(math.pi * min(1, step / steps)))
    ),
}
MONITORS = {"roc_auc": ("validation_roc_auc", "max"), "loss": ("validation_loss", "min")}
OF_A_PHASE = ("epochs", "learning_rate", "weight_decay")  # what a tagger may change of a recipe with one phase
OF_THE_NETWORK = ("network", "reads", "recipe", "seeds", "width")  # what else its entry says


def resolve(settings: dict, name: str) -> dict:
    """How tagger `name`, of `taggers` in params.yaml, is trained: its recipe with its changes, `seed` and `devices`.

    The values were checked when params.yaml was loaded (`pipelines/ops/settings/learning.py`). Raises `SystemExit` for devices
    that are not here.
    """
    entry = settings["taggers"][name]
    recipe = settings["recipes"][entry["recipe"]]
    changes = {key: value for key, value in entry.items() if key not in OF_THE_NETWORK}
    of_phase = {key: changes.pop(key) for key in OF_A_PHASE if key in changes}
    chosen = {"recipe": entry["recipe"], **recipe, **changes}
    chosen["phases"] = [{**phase, **of_phase} for phase in recipe["phases"]]
    devices = settings["training"].get("devices", "auto")
    _check_devices(devices, chosen["batch_size"], f"taggers.{name}")
    return {**chosen, "seed": settings["training"]["seed"], "devices": devices}


def _check_devices(devices: Any, batch_size: int, where: str) -> None:
    """Each device takes every n-th item of a batch (`EpochBatches`), and their gradients count alike: shares must be equal."""
    n_gpus = torch.cuda.device_count()
    n = max(1, n_gpus) if devices == "auto" else devices
    there, kind = (n_gpus, "GPUs") if n_gpus else (os.cpu_count() or 1, "cores, and no GPU")
    if n > there:
        raise SystemExit(f"training.devices in params.yaml is {devices}: this machine has {there} {kind}")
    if batch_size % n:
        raise SystemExit(
            f"training.devices in params.yaml is {devices}, {n} here, and {where} has a batch_size of {batch_size}, which is "
            f"not divisible by {n}"
        )


def optimizer(network: nn.Module, phase: dict, steps: int) -> dict:
    """What Lightning wants of `configure_optimizers`: the phase's optimiser and its schedule over `steps` steps."""
    options = {"lr": phase["learning_rate"], "weight_decay": phase.get("weight_decay", 0.0)}
    if phase.get("momentum"):
        options |= {"momentum": phase["momentum"], "nesterov": True}
    chosen = OPTIMIZERS[phase["optimizer"]](network.parameters(), **options)
    shape = SCHEDULES[phase.get("schedule", "constant")]
    schedule = torch.optim.lr_scheduler.LambdaLR(chosen, lambda step: shape(step, steps))
    return {"optimizer": chosen, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
