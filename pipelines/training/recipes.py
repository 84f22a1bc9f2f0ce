"""Named training recipes: `recipes` of params.yaml with what a tagger's entry changes of them, their optimisers and schedules.

A recipe is a list of phases, each of which begins with the best weights so far, and what holds for all of them:

- `phases`: `optimizer` (`OPTIMIZERS`), `learning_rate`, `epochs`, and if need be `weight_decay`, `momentum` (Nesterov's) and
  `schedule` (`SCHEDULES`; constant)
- `monitor`: the validation figure that chooses the best weights, `roc_auc` or `loss` (cross-entropy of clips' mean scores)
- `patience`: epochs without a better one that end a phase; 0: none do
- `batch_size`, `chunks_per_clip` (random chunks of each clip an epoch), `precision` (`PRECISIONS`)
- `augment`: as in `pipelines/training/augment.py`; {}: none
"""

import math
import os
from typing import Any

import torch
from torch import nn

from pipelines.training import augment

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
PRECISIONS = ("auto", "32-true", "bf16-mixed")
WHOLE = ("augment", "batch_size", "chunks_per_clip", "monitor", "patience", "precision")
OF_A_PHASE = ("epochs", "learning_rate", "weight_decay")  # what a tagger may change of a recipe with one phase


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# a missing value is None, which none of them takes; 1e-3 is a word in YAML, and 0.001 a number
RULES = {
    "width": ("a number above 0", lambda value: _number(value) and value > 0),
    "batch_size": ("a whole number, 1 or more", lambda value: _whole(value, 1)),
    "chunks_per_clip": ("a whole number, 1 or more", lambda value: _whole(value, 1)),
    "patience": ("a whole number, 0 for none", lambda value: _whole(value, 0)),
    "precision": (f"one of {', '.join(PRECISIONS)}", lambda value: value in PRECISIONS),
}
RULES_OF_A_PHASE = {
    "epochs": ("a whole number, 1 or more", lambda value: _whole(value, 1)),
    "learning_rate": ("a number above 0, as 0.001", lambda value: _number(value) and value > 0),
    "weight_decay": ("a number, 0 or more", lambda value: _number(value) and value >= 0),
    "momentum": ("a number from 0 to below 1", lambda value: _number(value) and 0 <= value < 1),
}
RULES_OF_AUGMENT = {
    "gain_db": ("a number, 0 or more", lambda value: _number(value) and value >= 0),
    "polarity": ("true or false", lambda value: isinstance(value, bool)),
    **dict.fromkeys(augment.COUNTS, ("a whole number, 0 for none", lambda value: _whole(value, 0))),
    **dict.fromkeys(augment.SHARES, ("a share from 0 to 1", lambda value: _number(value) and 0 <= value <= 1)),
}


def resolve(settings: dict, group: str, name: str) -> dict:
    """How tagger `name`, in `taggers.<group>` of params.yaml, is trained: its recipe with its changes, `seed` and `devices`.

    Raises `SystemExit` that names the entry and what it may be.
    """
    where, entry = f"taggers.{group}.{name}", (settings["taggers"].get(group) or {}).get(name)
    if entry is None:
        raise SystemExit(
            f"{where} is not in params.yaml: write what the training of {name} needs there, as its neighbours do"
        )
    if (recipe := settings["recipes"].get(entry.get("recipe"))) is None:
        raise SystemExit(
            f"{where} in params.yaml names recipe {entry.get('recipe')!r}; there is {', '.join(settings['recipes'])}"
        )
    if not recipe.get("phases"):
        raise SystemExit(f"recipes.{entry['recipe']} in params.yaml has no phases: name one at least")
    changes = {key: value for key, value in entry.items() if key not in ("recipe", "width")}
    if unknown := sorted(set(changes) - set(WHOLE) - set(OF_A_PHASE)):
        raise SystemExit(f"{where}.{unknown[0]} in params.yaml is no part of a recipe: {', '.join(WHOLE + OF_A_PHASE)}")
    of_phase = {key: changes.pop(key) for key in OF_A_PHASE if key in changes}
    if of_phase and len(recipe["phases"]) > 1:
        raise SystemExit(
            f"{where}.{next(iter(of_phase))} in params.yaml: recipe {entry['recipe']!r} has {len(recipe['phases'])} phases; "
            "change them under `recipes`, or name another recipe"
        )
    chosen = {"recipe": entry["recipe"], **recipe, **changes}
    chosen["phases"] = [{**phase, **of_phase} for phase in recipe["phases"]]
    if wrong := _wrong(chosen, entry.get("width")):
        raise SystemExit(f"{where} in params.yaml, recipe {chosen['recipe']!r}: {wrong}")
    devices = settings["training"].get("devices", "auto")
    _check_devices(devices, chosen["batch_size"], where)
    return {**chosen, "seed": settings["training"]["seed"], "devices": devices}


def _wrong(chosen: dict, width: Any) -> str:
    """What a resolved recipe has that it may not have, in words; empty if nothing."""
    if missing := [key for key in WHOLE if key not in chosen]:
        return f"{missing[0]} is missing"
    phases, hidden = chosen["phases"], chosen["augment"]
    if not isinstance(hidden, dict):
        return f"augment is {hidden!r}, and must be settings or {{}}, none"
    optional = {"weight_decay": 0, "momentum": 0}
    for key, values, allowed in (
        ("it", [key for key in chosen if key != "recipe"], (*WHOLE, "phases")),
        ("a phase", [key for phase in phases for key in phase], ("optimizer", "schedule", *RULES_OF_A_PHASE)),
        ("augment", hidden, augment.KEYS),
        ("monitor", [chosen["monitor"]], MONITORS),
        ("optimizer", [phase.get("optimizer") for phase in phases], OPTIMIZERS),
        ("schedule", [phase.get("schedule", "constant") for phase in phases], SCHEDULES),
    ):
        for value in values:
            if value not in allowed:
                return f"{key} has {value!r}; there is {', '.join(allowed)}"
    for values, rules in (
        ({**chosen, "width": width}, RULES),
        *(({**optional, **phase}, RULES_OF_A_PHASE) for phase in phases),
        (hidden, {key: RULES_OF_AUGMENT[key] for key in hidden}),
    ):
        for key, (wanted, is_right) in rules.items():
            if not is_right(value := values.get(key)):
                return f"{key} is {value!r}, and must be {wanted}"
    for phase in phases:
        if phase.get("momentum") and phase["optimizer"] != "sgd":
            return f"momentum is for sgd; {phase['optimizer']} has its own"
    return ""


def _check_devices(devices: Any, batch_size: int, where: str) -> None:
    """Each device takes every n-th item of a batch (`EpochBatches`), and their gradients count alike: shares must be equal."""
    n_gpus = torch.cuda.device_count()
    if devices != "auto" and not _whole(devices, 1):
        raise SystemExit(
            f"training.devices in params.yaml is {devices!r}, and must be auto or a whole number, 1 or more"
        )
    n = max(1, n_gpus) if devices == "auto" else devices
    there, kind = (n_gpus, "GPUs") if n_gpus else (os.cpu_count() or 1, "cores, and no GPU")
    if n > there:
        raise SystemExit(f"training.devices in params.yaml is {devices}: here are {there} {kind}")
    if batch_size % n:
        raise SystemExit(
            f"training.devices in params.yaml is {devices}, {n} here, and {where} has a batch_size of {batch_size}, which {n} "
            "does not divide"
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
