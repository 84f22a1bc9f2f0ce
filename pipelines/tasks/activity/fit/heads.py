"""Heads: a small module on the vector of each unit, trained on units drawn from the training clips."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines.tasks import Run, part
from pipelines.tasks.activity.fit import imbalance, units
from pipelines.training.seeded import seeded

BATCH = 256


@dataclass(frozen=True)
class Head:
    """module: logits of normalised inputs."""

    module: nn.Module
    mean: Tensor
    deviation: Tensor
    context: int

    @torch.no_grad()
    def probabilities(self, data: units.Units, clip) -> np.ndarray:
        """`(units, classes)` of a clip."""
        x = torch.from_numpy(data.inputs(clip, self.context))
        return torch.sigmoid(self.module((x - self.mean) / self.deviation)).numpy()


def train(run: Run, seed: int, data: units.Units) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, what the config says): the head's weights, the mean and deviation of its inputs; its loss by epoch."""
    options, rng = run.options, np.random.default_rng(seed)
    clips, drawn = list(data.of("train").itertuples()), []
    truth = [data.active(clip) for clip in clips]
    plays = np.stack([one.any(axis=0) for one in truth])
    for row in imbalance.repeats(plays, options["imbalance"], rng):
        rows = np.sort(rng.permutation(len(truth[row]))[: options["frames_per_clip"]])
        drawn.append((data.inputs(clips[row], options["context"])[rows], truth[row][rows]))
    x, y = (torch.from_numpy(np.concatenate(each).astype(np.float32)) for each in zip(*drawn, strict=True))
    mean, deviation = x.mean(dim=0), x.std(dim=0).clamp(min=1e-5)
    weight = torch.from_numpy(imbalance.weights(y.numpy().mean(axis=0), options["imbalance"]))
    with seeded(seed):
        module = create(run.task, run.model, x.shape[1], len(data.classes), options)
        optimizer = torch.optim.AdamW(module.parameters(), lr=options["learning_rate"])
        x, losses = (x - mean) / deviation, []
        for _ in range(options["epochs"]):
            total = 0.0
            for rows in torch.randperm(len(x)).split(BATCH):
                loss = binary_cross_entropy_with_logits(module(x[rows]), y[rows], pos_weight=weight)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
            losses.append(total / len(x))
    tensors = {f"model.{name}": value for name, value in module.state_dict().items()}
    return {**tensors, "mean": mean, "deviation": deviation}, {"inputs": x.shape[1], "losses": losses}


def create(task: str, model: str, n_inputs: int, n_classes: int, options: Mapping[str, Any]) -> nn.Module:
    """A head with fresh weights."""
    return part(task, f"models.{model}").create(n_inputs, n_classes, options)
