"""Train the network of a run on remixes of the training clips' stems."""

import numpy as np
import safetensors.torch
import torch

from pipelines.core.files import atomic, write_json
from pipelines.harness.progress import progress
from pipelines.metrics.separation import sdr
from pipelines.tasks.separation.fit import masks, mixtures, network, notes
from pipelines.training.seeded import seeded

WARM_UP = 0.05
"""Share of the steps in which the learning rate rises; after it, it falls as a cosine."""
EVERY = 10
"""Steps whose mean loss is a point of history."""


POINTS = 8
"""How often the SDR of the validation clips is taken."""


def fit(run, seed, folder):
    """Writes model.safetensors, and config.json: stems, rate, options, the loss by step, and the SDR of the validation clips by
    step (`validation_sdr`).

    The loss is the mean absolute error of the masked magnitudes, of a remix scaled to a peak of 1.
    """
    data, options = mixtures.read(run), run.options
    check(options)
    train, held_out = data.of("train"), data.of("validation")
    informed = network.reads_notes(run.task, run.model)
    scores = notes.of_clips(run.dataset, data.names) if informed else {}
    sounds = [data.signals(path) for path in train["stems_path"]]
    written = [scores.get(clip_id, notes.none(data.names)) for clip_id in train["clip_id"]]
    length, steps = round(options["excerpt_s"] * data.rate), options["steps"]
    rng = np.random.default_rng(seed)
    with seeded(seed):
        module = network.create(run.task, run.model, options, len(data.names), data.rate)
        separator = network.Separator(module, data.names, data.rate, options, informed)
        optimizer = torch.optim.AdamW(module.parameters(), lr=options["learning_rate"])
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
        history, losses, by_step = [], [], []
        for step in progress(range(1, steps + 1), f"train {run.name}", unit="step"):
            places = mixtures.places(sounds, options["batch_size"], length, options["remix"], rng)
            drawn = mixtures.remixes(sounds, places, length, options["gain_db"], rng)
            spectra = masks.spectrogram(torch.from_numpy(drawn), options["n_fft"], options["hop"])
            given = []
            if informed:
                rolls = notes.rolls(written, places, spectra.shape[2], options["hop"], data.rate)
                given.append(torch.from_numpy(rolls))
            loss = loss_of(module, spectra, *given)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if len(losses) == EVERY or step == steps:
                history.append([step, float(np.mean(losses))])
                losses = []
            if len(held_out) and (step % -(-steps // POINTS) == 0 or step == steps):
                by_step.append([step, validate(separator, data, held_out, scores)])
    if not np.isfinite(history[-1][1]):
        raise ValueError("the loss is not finite: a smaller learning_rate may help")
    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    with atomic(folder / "model.safetensors") as temporary, open(temporary, "wb") as stream:
        stream.write(safetensors.torch.save(weights))
    config = {"stems": data.names, "sample_rate": data.rate, "task": run.task, "model": run.model}
    config |= {"options": dict(options), "history": history, "validation_sdr": by_step}
    write_json(folder / "config.json", config)
    figures = {
        "clips": len(sounds),
        "stems": len(data.names),
        "parameters": sum(value.numel() for value in module.parameters()),
        "loss": round(history[-1][1], 5),
    }
    return figures | ({"validation_sdr": round(by_step[-1][1], 3)} if by_step else {})


def validate(separator: network.Separator, data: mixtures.Mixtures, clips, scores: dict[str, notes.Notes]) -> float:
    """SDR in dB of the stems of `clips`: the median over clips of each that sounds, then the mean over stems."""
    separator.network.eval()
    values = []
    for clip in clips.itertuples():
        sounds = data.signals(clip.stems_path)
        estimates = separator.separate(sounds.sum(axis=0), scores.get(clip.clip_id, notes.none(data.names)))
        values.append([sdr(*pair) for pair in zip(sounds, estimates, strict=True)])
    separator.network.train()
    medians = np.ma.median(np.ma.masked_invalid(values), axis=0)
    return float(medians.mean())


def check(options) -> None:
    """Raises `ValueError` for options that no spectrogram or segment can have."""
    n_fft, hop = options["n_fft"], options["hop"]
    if hop > n_fft // 2:
        raise ValueError(f"hop {hop} is more than half of n_fft {n_fft}: the signal could not be put together again")


def loss_of(module: torch.nn.Module, spectra: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
    """Of the spectra of remixes `(batch, stems, frames, bins)`; given: what the network reads beside the mixture."""
    mixture = spectra.sum(dim=1).abs()
    scale = mixture.amax(dim=(1, 2)).clamp(min=1e-8)[:, None, None, None]
    return ((module(mixture, *given) * mixture[:, None] - spectra.abs()).abs() / scale).mean() * 1000


def rate(step: int, steps: int) -> float:
    """Factor of the learning rate."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm)))
