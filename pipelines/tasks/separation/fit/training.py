"""Train a network on remixes of the training clips' stems."""

import numpy as np
import torch

from pipelines.harness.progress import progress
from pipelines.metrics.separation import sdr
from pipelines.tasks.separation.fit import masks, mixtures, network, notes

WARM_UP = 0.05
"""Share of the steps in which the learning rate rises; after it, it falls as a cosine."""
EVERY = 10
"""Steps whose mean loss is a point of history."""


POINTS = 8
"""How often the SDR of the validation clips is taken."""


Curve = list[list[float]]
"""Pairs of step and value."""


def train(
    run, seed: int, data: mixtures.Mixtures, separator: network.Separator, scores: dict[str, notes.Notes]
) -> tuple[Curve, Curve]:
    """(loss, SDR of the validation clips) by step. scores: the notes of clips, for a network that reads them.

    The loss is the mean absolute error of the masked magnitudes, of a remix scaled to a peak of 1. Raises `ValueError` where it
    is not finite in the end.
    """
    options, module, steps = run.options, separator.network, run.options["steps"]
    clips, held_out = data.of("train"), data.held_out()
    sounds = [data.stored(path) for path in clips["stems_path"]]
    written = [scores.get(clip_id, notes.none(data.names)) for clip_id in clips["clip_id"]]
    length, rng = round(options["excerpt_s"] * data.rate), np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(module.parameters(), lr=options["learning_rate"])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
    history, losses, by_step = [], [], []
    for step in progress(range(1, steps + 1), f"train {run.name}", unit="step"):
        places = mixtures.places(sounds, options["batch_size"], length, options["remix"], rng)
        drawn = mixtures.remixes(sounds, places, length, options["gain_db"], rng)
        spectra = masks.spectrogram(torch.from_numpy(drawn), options["n_fft"], options["hop"])
        given = []
        if separator.reads_notes:
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
    return history, by_step


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
