"""Train the head of a run on drawn frames of the training clips; thresholds by validation."""

import numpy as np
import safetensors.torch
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines.core.files import atomic, write_json
from pipelines.tasks import part
from pipelines.tasks.activity.fit import frames, head
from pipelines.training.seeded import seeded

BATCH = 256
THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.05), 2)


def fit(run, seed, folder):
    """Writes model.safetensors (the head, and the mean and deviation of its inputs), and config.json."""
    data, options, rng = frames.read(run), run.options, np.random.default_rng(seed)
    inputs, truth = [], []
    for clip in data.of("train").itertuples():
        rows = np.sort(rng.permutation(clip.length)[: options["frames_per_clip"]])
        inputs.append(frames.stacked(data.values(clip), rows, options["context"]))
        truth.append(data.active(clip)[rows])
    x, y = torch.from_numpy(np.concatenate(inputs)), torch.from_numpy(np.concatenate(truth).astype(np.float32))
    mean, deviation = x.mean(dim=0), x.std(dim=0).clamp(min=1e-5)
    prior = y.mean(dim=0)
    weight = ((1 - prior) / prior.clamp(min=1e-3)).clamp(max=20) if options["imbalance"] == "class_weights" else None
    with seeded(seed):
        module = part(run.task, f"models.{run.model}").create(x.shape[1], len(data.classes), options)
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
    weights = {f"head.{name}": value.contiguous() for name, value in module.state_dict().items()}
    with atomic(folder / "model.safetensors") as temporary, open(temporary, "wb") as stream:
        stream.write(safetensors.torch.save({**weights, "mean": mean, "deviation": deviation}))
    config = {"task": run.task, "model": run.model, "classes": data.classes, "options": dict(options)}
    config |= {
        "inputs": x.shape[1],
        "priors": prior.tolist(),
        "losses": losses,
        "thresholds": [0.5] * len(data.classes),
    }
    write_json(folder / "config.json", config)
    if options["thresholds"] == "validation":
        config["thresholds"] = _thresholds(data, head.load(folder))
        write_json(folder / "config.json", config)
    return {"clips": len(inputs), "frames": len(x), "classes": len(data.classes), "loss": round(losses[-1], 4)}


def _thresholds(data, served) -> list[float]:
    """Of each class the one with the best F1 on the validation clips, of equal ones that nearest to 0.5; 0.5 without any."""
    held = [(served.probabilities(data.values(clip)), data.active(clip)) for clip in data.of("validation").itertuples()]
    if not held:
        return [0.5] * len(data.classes)
    p, truth = (np.concatenate(each) for each in zip(*held, strict=True))
    found = []
    for place in range(len(data.classes)):
        if not truth[:, place].any():
            found.append(0.5)
            continue
        said = p[:, place, None] >= THRESHOLDS
        hits = (said & truth[:, place, None]).sum(axis=0)
        f1 = 2 * hits / (said.sum(axis=0) + truth[:, place].sum())
        best = np.flatnonzero(f1 == f1.max())
        found.append(float(THRESHOLDS[best[np.abs(THRESHOLDS[best] - 0.5).argmin()]]))
    return found
