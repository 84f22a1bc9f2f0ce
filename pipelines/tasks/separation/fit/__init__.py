"""Train the network of a run on remixes of the training clips' stems."""

import numpy as np
import safetensors.torch
import torch

from pipelines.core.files import atomic, write_json
from pipelines.tasks.separation.fit import masks, mixtures, network
from pipelines.training.seeded import seeded

WARM_UP = 0.05
"""Share of the steps in which the learning rate rises; after it, it falls as a cosine."""
EVERY = 10
"""Steps whose mean loss is a point of history."""


def fit(run, seed, folder):
    """Writes model.safetensors, and config.json: stems, rate, options, and the loss by step.

    The loss is the mean absolute error of the masked magnitudes, of a remix scaled to a peak of 1.
    """
    data, options = mixtures.read(run), run.options
    check(options)
    sounds = [data.signals(path) for path in data.of("train")["stems_path"]]
    length = round(options["excerpt_s"] * data.rate)
    rng = np.random.default_rng(seed)
    with seeded(seed):
        module = network.create(run.task, run.model, options, len(data.names))
        optimizer = torch.optim.AdamW(module.parameters(), lr=options["learning_rate"])
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, options["steps"]))
        history, losses = [], []
        for step in range(options["steps"]):
            drawn = mixtures.remixes(sounds, options["batch_size"], length, options["remix"], options["gain_db"], rng)
            loss = loss_of(module, torch.from_numpy(drawn), options)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if len(losses) == EVERY or step + 1 == options["steps"]:
                history.append([step + 1, float(np.mean(losses))])
                losses = []
    if not np.isfinite(history[-1][1]):
        raise ValueError("the loss is not finite: a smaller learning_rate may help")
    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    with atomic(folder / "model.safetensors") as temporary, open(temporary, "wb") as stream:
        stream.write(safetensors.torch.save(weights))
    config = {"stems": data.names, "sample_rate": data.rate, "task": run.task, "model": run.model}
    write_json(folder / "config.json", config | {"options": dict(options), "history": history})
    return {
        "clips": len(sounds),
        "stems": len(data.names),
        "parameters": sum(value.numel() for value in module.parameters()),
        "loss": round(history[-1][1], 5),
    }


def check(options) -> None:
    """Raises `ValueError` for options that no spectrogram or segment can have."""
    n_fft, hop = options["n_fft"], options["hop"]
    if hop > n_fft // 2:
        raise ValueError(f"hop {hop} is more than half of n_fft {n_fft}: the signal could not be put together again")


def loss_of(module: torch.nn.Module, stems: torch.Tensor, options) -> torch.Tensor:
    """Of remixes `(batch, stems, samples)`."""
    spectra = masks.spectrogram(stems, options["n_fft"], options["hop"])
    mixture = spectra.sum(dim=1).abs()
    scale = mixture.amax(dim=(1, 2)).clamp(min=1e-8)[:, None, None, None]
    return ((module(mixture) * mixture[:, None] - spectra.abs()).abs() / scale).mean() * 1000


def rate(step: int, steps: int) -> float:
    """Factor of the learning rate."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm)))
