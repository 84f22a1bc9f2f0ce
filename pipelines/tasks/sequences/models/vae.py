"""Variational autoencoder of windows of two bars (Kingma and Welling 2014, arXiv 1312.6114), with an LSTM as decoder.

The encoder, a bidirectional LSTM, turns a window's cells into a normal distribution of `latent` units. The decoder reads a draw
of them with each step before, of the window or the last of the window before, and gives each voice a categorical distribution
(`chords.py`). In training whole steps are withheld from it, or it would not need the latent units (Bowman et al. 2016, arXiv
1511.06349), and of each unit's Kullback-Leibler divergence only what exceeds `FREE_BITS` counts, as a mean over the batch (Kingma
et al. 2016, arXiv 1606.04934).

Its likelihood is not known. The negative evidence lower bound, reconstruction and divergence together, is an upper **bound** on
its nats, so it stands nowhere beside nats of other models as if it were one. Generation draws the latent units of each window
from the standard normal distribution: of a primer, a window knows the cells that it has itself and the step before it.
"""

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.tasks.sequences.fit import chords, measures, networks, sampling
from pipelines.tasks.sequences.fit.cells import BEGIN, PITCHES
from pipelines.tasks.sequences.fit.networks import PADDING, PHASES
from pipelines.training.seeded import one_thread, seeded

WINDOW = 32
"""Steps: two bars."""
FREE_BITS = 0.25
"""Nats of a unit."""
SAMPLES = 4
"""Draws of the latent units of each window over which the bound's reconstruction is a mean."""
WINDOWS_AT_ONCE = 256
FEWEST, POINTS = 8, 5
"""Active units for an interpolation, and its points, both ends included."""
PRESETS = {
    "tiny": {"hidden": 192, "latent": 32, "embedding": 16, "dropout": 0.1, "withheld": 0.25},
    "cpu": {"hidden": 256, "latent": 48, "embedding": 32, "dropout": 0.2, "withheld": 0.25},
    "cpu_long": {"hidden": 320, "latent": 48, "embedding": 32, "dropout": 0.3, "withheld": 0.25},
    "gpu": {"hidden": 512, "latent": 64, "embedding": 64, "dropout": 0.3, "withheld": 0.25},
}
RECIPES = {
    "tiny": {"updates": 350, "batch": 24, "steps": WINDOW, "rate": 0.005, "decay": 0.01},
    "cpu": {"updates": 1500, "batch": 32, "steps": WINDOW, "rate": 0.004, "decay": 0.01},
    "cpu_long": {"updates": 5000, "batch": 32, "steps": WINDOW, "rate": 0.003, "decay": 0.02},
    "gpu": {"updates": 20000, "gpu": True, "batch": 128, "steps": WINDOW, "rate": 0.002, "decay": 0.01},
}


class Network(nn.Module):
    def __init__(self, voices, hidden, latent, embedding, dropout, withheld):
        super().__init__()
        self.latent, self.withheld = latent, withheld
        self.chords = chords.Chords(voices, hidden, embedding, dropout)
        self.encoder = nn.LSTM(self.chords.width, hidden // 2, batch_first=True, bidirectional=True)
        self.posterior = nn.Linear(hidden, 2 * latent)
        self.first = nn.Linear(latent, 2 * hidden)
        self.decoder = nn.LSTM(self.chords.width + latent, hidden, batch_first=True)

    def encode(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, `(windows, latent)`, from cells `(windows, steps, voices)` with padding. All are
        padded to a whole window, so that none depends on those beside it."""
        cells = nn.functional.pad(cells, (0, 0, 0, WINDOW - cells.shape[1]), value=PADDING)
        read = self.chords.read(cells.clamp(max=BEGIN), phases(cells))
        ends = self.encoder(read)[1][0]  # the last states of both directions
        mean, log_variance = self.posterior(ends.movedim(0, 1).flatten(1)).chunk(2, dim=-1)
        return mean, log_variance.clamp(-10, 10)

    def decode(self, latent: Tensor, before: Tensor, cells: Tensor) -> Tensor:
        """Logits `(windows, steps, voices, 128)`; before: the step before each."""
        read = self.chords.read(before.clamp(max=BEGIN), phases(before))
        read = nn.functional.dropout1d(read, self.withheld, self.training)  # whole steps
        return self.chords.logits(self.advance(read, self.start(latent), latent)[0], cells.clamp(max=PITCHES - 1))

    def start(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """The decoder's state before the first step."""
        return tuple(half.contiguous() for half in torch.tanh(self.first(latent))[None].chunk(2, dim=-1))

    def advance(self, read: Tensor, state, latent: Tensor):
        return self.decoder(torch.cat([read, latent[:, None].expand(-1, read.shape[1], -1)], dim=-1), state)


def phases(cells: Tensor) -> Tensor:
    return (torch.arange(cells.shape[1], device=cells.device) % PHASES).expand(cells.shape[:2])


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Nats of each unit, `(windows, latent)`, from the standard normal distribution."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2


def reconstruction(network: Network, latent: Tensor, steps: Tensor) -> Tensor:
    """Nats of each window `(windows, steps + 1, voices)`, whose first step is the one before, given its latent units."""
    logits = network.decode(latent, steps[:, :-1], steps[:, 1:])
    losses = nn.functional.cross_entropy(logits.movedim(-1, 1), steps[:, 1:], ignore_index=PADDING, reduction="none")
    return losses.sum(dim=(1, 2))


def objective(network: Network, steps: Tensor) -> Tensor:
    """Nats a cell of the bound with free bits."""
    mean, log_variance = network.encode(steps[:, 1:])
    latent = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
    counted = divergence(mean, log_variance).mean(dim=0).clamp(min=FREE_BITS).sum() * len(steps)
    return (reconstruction(network, latent, steps).sum() + counted) / (steps[:, 1:] != PADDING).sum()


def fit(train, validation, options, seed):
    with seeded(seed):
        network = Network(train[0].shape[1], **PRESETS[options["preset"]])
        recipe = RECIPES[options["preset"]]
        arrays, found = networks.fit(
            network, recipe, train, validation, options["transpose"], seed, objective, bound_per_step
        )
        figures = {"validation bound on nats a step": found.pop("validation nats a step")} | found
        return arrays, figures | {"active units": int(active(build(arrays, options), validation).sum())}


def build(arrays, options):
    return networks.restored(Network(networks.voices(arrays), **PRESETS[options["preset"]]), arrays)


@one_thread()
def bounds(model: Network, pieces) -> np.ndarray:
    """`(pieces, 2)` nats of each piece: reconstruction, and divergence. Their sum is the negative evidence lower bound."""
    model.eval()
    generator, found = torch.Generator().manual_seed(0), np.zeros((len(pieces), 2))
    windows, owners = _windows(pieces)
    for first in range(0, len(windows), WINDOWS_AT_ONCE):
        rows = slice(first, first + WINDOWS_AT_ONCE)
        with torch.inference_mode():
            steps = windows[rows].to(model.posterior.weight.device)
            mean, log_variance = model.encode(steps[:, 1:])
            noise = torch.randn((SAMPLES, *mean.shape), generator=generator).to(mean.device)
            draws = mean + torch.exp(log_variance / 2) * noise
            nats = torch.stack([reconstruction(model, draw, steps) for draw in draws]).mean(dim=0)
            both = torch.stack([nats, divergence(mean, log_variance).sum(dim=1)], dim=1).cpu().double().numpy()
        np.add.at(found, owners[rows], both)
    return found


def bound_per_step(model: Network, pieces) -> float:
    return float(bounds(model, pieces).sum() / sum(map(len, pieces)))


def active(model: Network, pieces) -> np.ndarray:
    """`(latent,)`: is the variance of a unit's mean over the windows above 0.01 (Burda et al. 2016, arXiv 1509.00519)?"""
    return means(model, _windows(pieces)[0]).var(axis=0) > 0.01


@one_thread()
@torch.inference_mode()
def means(model: Network, windows: Tensor) -> np.ndarray:
    """`(windows, latent)` of windows `(windows, steps + 1, voices)`."""
    return model.encode(windows[:, 1:].to(model.posterior.weight.device))[0].cpu().numpy()


def latent(model: Network, pieces) -> dict:
    """Of the latent units: `units`, how many there are; `active`, how many are; `reconstruction` and `divergence`, nats a step;
    `line`: notes (`measures.notes`) of what is decoded at `POINTS` points on the line between the means of the first windows of
    the first and the last piece. It is empty below `FEWEST` active units: the decoder then
    writes without them, and a line between two points would show nothing.
    """
    reconstructed, diverged = bounds(model, pieces).sum(axis=0) / sum(map(len, pieces))
    n_active = int(active(model, pieces).sum())
    return {
        "units": model.latent,
        "active": n_active,
        "reconstruction": float(reconstructed),
        "divergence": float(diverged),
        "line": [measures.notes(one).tolist() for one in interpolated(model, pieces[0], pieces[-1])]
        if n_active >= FEWEST
        else [],
    }


def interpolated(model: Network, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """`(POINTS, WINDOW, voices)`: windows on the line from the latent mean of one piece's first window to another's, sampled with
    the same random numbers, so that they differ by their points alone. (The likeliest cells are mostly held ones.)"""
    ends = means(model, networks.padded([networks.begun(piece[:WINDOW]) for piece in (first, last)]))
    points = torch.from_numpy(np.linspace(*ends, POINTS))
    given = np.full((WINDOW, first.shape[1]), sampling.FREE)
    decoded = [sampling.sample(lambda n, rng, at=at: begin(model, n, rng, at), given, 1, 0) for at in points[:, None]]
    return np.concatenate(decoded)


def begin(model, n_pieces, rng, latent=None):
    """`ask(previous) -> (n_pieces, 128)` log-probabilities of the next cell, given latent units of the window that are drawn when
    it begins, or those of `latent` `(n_pieces, units)`."""
    voices = model.chords.voices
    cells, state, units, parts, place = torch.full((n_pieces, 1, voices), BEGIN), None, latent, None, -1

    @one_thread()
    @torch.inference_mode()
    def ask(previous=None):
        nonlocal state, units, parts, place
        if previous is not None:
            cells[:, 0, place % voices] = torch.from_numpy(np.array(previous, np.int64))
        place += 1
        step, voice = divmod(place, voices)
        if voice == 0:
            if step % WINDOW == 0:
                if latent is None:
                    units = torch.from_numpy(rng.standard_normal((n_pieces, model.latent)).astype(np.float32))
                state = model.start(units)
            read = model.chords.read(cells, torch.full((n_pieces, 1), step % PHASES))
            states, state = model.advance(read, state, units)
            parts = model.chords.state(states).unflatten(-1, (voices, -1))
        return torch.log_softmax(model.chords.voice(parts, cells, voice)[:, 0].double(), dim=-1).numpy()

    return ask


def _windows(pieces) -> tuple[Tensor, np.ndarray]:
    """(windows `(windows, steps + 1, voices)` of pieces from the beginning on, each with the step before; the piece of each)."""
    found, owners = [], []
    for number, piece in enumerate(pieces):
        whole = networks.begun(piece)
        for first in range(0, len(piece), WINDOW):
            found.append(whole[first : first + WINDOW + 1])
            owners.append(number)
    return networks.padded(found), np.array(owners)
