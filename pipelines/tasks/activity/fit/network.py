"""Networks on chunks of frames, trained with pipelines/training: excerpts drawn from (seed, epoch, item), the best epoch on
validation by mean average precision.

A network's file has `LEVEL` and `network(n_classes, n_bands, width)`, whose `classify(chunks)` gives logits and an embedding of
chunks `(batch, frames, bands)`: logits `(batch, frames, classes)` at the level `frame`, `(batch, classes)` at `clip`.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from pipelines.core import paths
from pipelines.core.files import sha256
from pipelines.core.record import loaded_code
from pipelines.tasks import Run, part
from pipelines.tasks.activity.fit import imbalance, units
from pipelines.training import augment, history
from pipelines.training import fit as training

CHECKPOINTS = Path(".cache/training/runs")
EXCERPTS_PER_CLIP, PATIENCE, WEIGHT_DECAY = 2, 12, 1e-4
PART, MARGIN = 2048, 128
"""Frames that a network of frames reads at once, and those around them that it reads for their context."""


@dataclass(frozen=True)
class Network:
    """module: in eval mode."""

    module: nn.Module

    @torch.no_grad()
    def probabilities(self, data: units.Units, clip) -> np.ndarray:
        """`(units, classes)` of a clip of any length."""
        if data.level == "clip":
            return torch.sigmoid(self.module.classify(torch.from_numpy(np.stack(data.segments(clip))))[0]).numpy()
        values, found = torch.from_numpy(data.frames(clip)), []
        for first in range(0, len(values), PART):
            start = max(0, first - MARGIN)
            logits, _ = self.module.classify(values[None, start : first + PART + MARGIN])
            found.append(logits[0, first - start :][:PART])
        return torch.sigmoid(torch.cat(found)).numpy()


class Excerpts(Dataset):
    """Of place (epoch, item): the frames of a random excerpt of the item's clip, and what plays in it."""

    def __init__(self, data: units.Units, clips: list, truth: list[np.ndarray], length: int, seed: int):
        self.data, self.clips, self.truth, self.length, self.seed = data, clips, truth, length, seed

    def __getitem__(self, place: tuple[int, int]) -> tuple[Tensor, Tensor]:
        epoch, item = place
        row = item % len(self.clips)
        clip, rng = self.clips[row], np.random.default_rng((self.seed, epoch, item))
        rows = np.arange(self.length) + rng.integers(max(1, clip.length - self.length + 1))
        values, truth = (np.take(each, rows, axis=0, mode="wrap") for each in (self.data.frames(clip), self.truth[row]))
        truth = truth.any(axis=0) if self.data.level == "clip" else truth
        return torch.from_numpy(values), torch.from_numpy(truth.astype(np.float32))


class Activity(training.Tagging):
    """`data` has `excerpts` and `held`, (clip, truth) of validation; weights of classes in `weights`."""

    MONITORS: ClassVar = {"map": ("validation_map", "max")}
    FIGURE = "validation mAP", "validation_map"

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.data["excerpts"], batch_sampler=self.batches)

    def loss(self, logits, tags):
        weights = torch.from_numpy(self.data["weights"]).to(logits.device)
        return nn.functional.binary_cross_entropy_with_logits(logits, tags, pos_weight=weights)

    def evaluate(self):
        was_training = self.tagger.training
        self.tagger.eval()
        served, (clips, truth) = Network(self.tagger), self.data["held"]
        p = np.concatenate([served.probabilities(self.data["units"], clip) for clip in clips])
        self.tagger.train(was_training)
        loss = nn.functional.binary_cross_entropy(torch.from_numpy(p), torch.from_numpy(truth.astype(np.float32)))
        there = truth.any(axis=0)
        return {"validation_loss": loss.item(), "validation_map": average_precision_score(truth[:, there], p[:, there])}


def train(run: Run, seed: int, data: units.Units, folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, what the config says). Raises `ValueError` where the network is for another level or input, or nothing
    plays in validation clips."""
    options, module = run.options, part(run.task, f"models.{run.model}")
    if module.LEVEL != data.level or data.vectors is not None:
        raise ValueError(
            f"model {run.model} reads frames and is for `level: {module.LEVEL}`, not {data.level} of {run.input}"
        )
    try:
        augment.check(options["augment"], run.input.name)
    except ValueError as error:
        raise ValueError(f"augment of {run.name}: {error}") from error
    clips, held = (list(data.of(side).itertuples()) for side in ("train", "validation"))
    if not held:
        raise ValueError(f"model {run.model} chooses its best epoch on validation clips, and {run.dataset!r} has none")
    held_truth = np.concatenate([data.active(clip) for clip in held])
    if not held_truth.any():
        raise ValueError(
            f"model {run.model} chooses its best epoch on validation clips, and in those of {run.dataset!r} no class plays"
        )
    of_frames = replace(data, level="frame")
    truth = [of_frames.active(clip) for clip in clips]
    rng = np.random.default_rng(seed)
    rows = imbalance.repeats(np.stack([one.any(axis=0) for one in truth]), options["imbalance"], rng)
    shares = np.concatenate([data.active(clip) for clip in clips]).mean(axis=0)
    length = round((options["clip_s"] if data.level == "clip" else options["excerpt_s"]) / data.hop_s)
    torch.manual_seed(seed)
    n_bands = data.arrays[0].shape[1]
    network = module.network(len(data.classes), n_bands, options["width"])
    place = _place(run, seed)
    given = {
        "units": data,
        "train_ids": rows.tolist(),
        "excerpts": Excerpts(data, [clips[row] for row in rows], [truth[row] for row in rows], length, seed),
        "held": (held, held_truth),
        "weights": imbalance.weights(shares, options["imbalance"]),
    }
    figures = training.fit(run.name, network, given, _settings(run, seed), place, Activity)
    shutil.copy(place / "history.csv", folder / "history.csv")
    losses = [float(row["loss"]) for row in history.read(place / "history.csv")]
    tensors = {f"model.{name}": value for name, value in network.state_dict().items()}
    return tensors, {"inputs": n_bands, "losses": losses, "best_epoch": figures["best epoch"]}


def _settings(run: Run, seed: int) -> dict:
    """What pipelines/training takes."""
    phase = {"optimizer": "adamw", "schedule": "cosine", "weight_decay": WEIGHT_DECAY}
    fixed = {
        "recipe": run.model,
        "monitor": "map",
        "devices": 1,
        "seed": seed,
        "precision": "32-true",
        "patience": PATIENCE,
    }
    own = {
        "batch_size": run.options["batch_size"],
        "augment": run.options["augment"],
        "chunks_per_clip": EXCERPTS_PER_CLIP,
    }
    phase |= {name: run.options[name] for name in ("epochs", "learning_rate")}
    return fixed | own | {"phases": [phase]}


def _place(run: Run, seed: int) -> Path:
    """Where checkpoints lie: a killed training goes on only if it was the same one, with the same options, data and code."""
    files = [paths.manifest(run.dataset), paths.events(run.dataset), *sorted(run.input.iterdir())]
    identity = json.dumps([dict(run.options), [sha256(path) for path in files], loaded_code()], sort_keys=True)
    place = CHECKPOINTS / f"{run.name}-{seed}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    for other in CHECKPOINTS.glob(f"{run.name}-{seed}-*"):
        if other != place:
            shutil.rmtree(other)
    return place
