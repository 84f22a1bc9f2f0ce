"""Named training recipes: `recipes` of params.yaml with what a tagger's entry changes of them, their optimisers and schedules.

A recipe is a list of phases, each of which begins with the best weights so far, and what holds for all of them:

- `phases`: `optimizer` (`OPTIMIZERS`), `learning_rate`, `epochs`, and if need be `weight_decay`, `momentum` (Nesterov's) and
  `schedule` (`SCHEDULES`; constant)
- `monitor`: the validation figure that chooses the best weights, `roc_auc` or `loss` (cross-entropy of clips' mean scores)
- `patience`: epochs without a better one that end a phase; 0: none do
- `batch_size`, `chunks_per_clip` (random chunks of each clip an epoch), `precision` (auto, 32-true, bf16-mixed)
- `augment`: as in `pipelines/training/augment.py`; {}: none
"""

import math

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
WHOLE = ("augment", "batch_size", "chunks_per_clip", "monitor", "patience", "precision")
OF_A_PHASE = ("epochs", "learning_rate", "weight_decay")  # what a tagger may change of a recipe with one phase


def resolve(settings: dict, group: str, name: str) -> dict:
    """How tagger `name`, in `taggers.<group>` of params.yaml, is trained: its recipe with its changes, `seed` and `devices`.

    Raises `SystemExit` that names the entry and what it may be.
    """
    where, entry = f"taggers.{group}.{name}", settings["taggers"][group][name]
    recipe = settings["recipes"][entry["recipe"]]
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
    phases = chosen["phases"]
    for key, values, allowed in (
        ("monitor", [chosen["monitor"]], MONITORS),
        ("optimizer", [phase["optimizer"] for phase in phases], OPTIMIZERS),
        ("schedule", [phase.get("schedule", "constant") for phase in phases], SCHEDULES),
        ("augment", chosen["augment"], augment.KEYS),
    ):
        for value in values:
            if value not in allowed:
                raise SystemExit(
                    f"{where} in params.yaml, recipe {chosen['recipe']!r}: {key} has {value!r}; there is {', '.join(allowed)}"
                )
    return {**chosen, "seed": settings["training"]["seed"], "devices": settings["training"].get("devices", "auto")}


def optimizer(network: nn.Module, phase: dict, steps: int) -> dict:
    """What Lightning wants of `configure_optimizers`: the phase's optimiser and its schedule over `steps` steps."""
    options = {"lr": phase["learning_rate"], "weight_decay": phase.get("weight_decay", 0.0)}
    if phase.get("momentum"):
        options |= {"momentum": phase["momentum"], "nesterov": True}
    chosen = OPTIMIZERS[phase["optimizer"]](network.parameters(), **options)
    shape = SCHEDULES[phase.get("schedule", "constant")]
    schedule = torch.optim.lr_scheduler.LambdaLR(chosen, lambda step: shape(step, steps))
    return {"optimizer": chosen, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
