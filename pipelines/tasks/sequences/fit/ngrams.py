"""What n-gram networks share: how they are trained, and the context that moves on by a cell as they generate."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.tasks.sequences.fit import networks

RECIPES = {
    "tiny": {"updates": 300, "batch": 16, "steps": 64, "rate": 0.004, "decay": 0.01},
    "cpu": {"updates": 1000, "batch": 16, "steps": 96, "rate": 0.003, "decay": 0.01},
    "cpu_long": {"updates": 2600, "batch": 16, "steps": 96, "rate": 0.003, "decay": 0.02},
    "gpu": {"updates": 10000, "gpu": True, "batch": 64, "steps": 256, "rate": 0.001, "decay": 0.01},
}
"""Preset -> recipe, for a context of at most `steps` steps."""


def fit(network: nn.Module, train, validation, options: Mapping, seed: int) -> tuple[dict[str, np.ndarray], dict]:
    """As `networks.fit`, on excerpts as long as the network's `context` (cells) needs."""
    recipe = with_context(RECIPES[options["preset"]], network.context, network.voices)
    return networks.fit(network, recipe, train, validation, options["transpose"], seed)


def with_context(recipe: Mapping, context: int, voices: int) -> dict:
    """The recipe with excerpts at least as long as a context of so many cells, `voices` a step, and so many fewer at
    a time."""
    steps = max(recipe["steps"], -(-context // voices))
    return {**recipe, "steps": steps, "batch": max(recipe["batch"] * recipe["steps"] // steps, 1)}


def moved_on(context: Tensor, previous: Sequence[int]) -> Tensor:
    """The latest cells of each piece, `(pieces, cells)`, with the cell `previous` of each as the last."""
    return torch.cat([context[:, 1:], torch.from_numpy(np.array(previous, np.int64))[:, None]], dim=1)
