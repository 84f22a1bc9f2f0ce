"""Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, arXiv 1704.00028) on piano rolls of four bars, a roll a voice.

The generator turns noise of a whole piece and of each bar into a share of every pitch for each cell, by convolutions over time;
so it writes pieces of any number of bars. The critic, convolutions too, compares windows of four bars; a training window's cells
are shares of 0 and 1. **No likelihood**: neither network says how probable a piece is, so this model has no loss in nats. Its
curve is the critic's estimate of the Wasserstein distance, which has no unit and compares with no other critic's.

A piece is binarised by a fixed rule, the likeliest pitch of each voice (silence is one), and never by a threshold that could be
tuned. Nothing is sampled cell by cell, so there is no temperature, and given cells cannot be continued. The last weights are
kept: nothing measured on validation pieces chooses better ones.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.tasks.sequences.fit import networks
from pipelines.tasks.sequences.fit.cells import PITCHES, room
from pipelines.training.seeded import one_thread, seeded

BAR, BARS = 16, 4
"""Steps of a bar, and bars of a window."""
CRITIC_UPDATES, PENALTY = 5, 10.0
"""Of the critic for each of the generator; the weight of the gradient penalty (both as published)."""
POINTS = 10
"""Of the curve."""
PRESETS = {
    "tiny": {"hidden": 64, "noise": 32},
    "cpu": {"hidden": 96, "noise": 48},
    "cpu_long": {"hidden": 96, "noise": 48},
    "gpu": {"hidden": 256, "noise": 64},
}
RECIPES = {
    "tiny": {"updates": 200, "batch": 16, "rate": 0.0005},
    "cpu": {"updates": 1000, "batch": 16, "rate": 0.0003},
    "cpu_long": {"updates": 4000, "batch": 16, "rate": 0.0002},
    "gpu": {"updates": 50000, "gpu": True, "batch": 64, "rate": 0.0001},
}


class Generator(nn.Module):
    """(noise of the piece `(batch, noise)`, of its bars `(batch, noise, bars)`) -> shares `(batch, voices * pitches, steps)`."""

    def __init__(self, voices, hidden, noise, n_pitches):
        super().__init__()
        self.noise = noise
        self.bars = nn.Conv1d(2 * noise, 4 * hidden, 3, padding=1)
        self.quarters = nn.ConvTranspose1d(4 * hidden, 2 * hidden, 4, stride=4)
        self.steps = nn.ConvTranspose1d(2 * hidden, hidden, 4, stride=4)
        self.near, self.out = nn.Conv1d(hidden, hidden, 5, padding=2), nn.Conv1d(hidden, voices * n_pitches, 1)
        self.register_buffer("allowed", torch.zeros(voices, n_pitches))

    def forward(self, piece: Tensor, bars: Tensor) -> Tensor:
        found = torch.relu(self.bars(torch.cat([piece[:, :, None].expand(-1, -1, bars.shape[2]), bars], dim=1)))
        found = torch.relu(self.steps(torch.relu(self.quarters(found))))
        found = self.out(found + torch.relu(self.near(found))).unflatten(1, self.allowed.shape)
        return torch.softmax(found + self.allowed[:, :, None], dim=2).flatten(1, 2)

    def drawn(self, n: int, n_bars: int) -> Tensor:
        """Shares of `n` pieces, by torch's own generator of random numbers."""
        device = self.allowed.device
        return self(torch.randn(n, self.noise, device=device), torch.randn(n, self.noise, n_bars, device=device))


class Critic(nn.Sequential):
    """Shares of a window `(batch, voices * pitches, steps)` -> `(batch, 1)`. No normalisation over the batch: the penalty is each
    window's own."""

    def __init__(self, voices, hidden, n_pitches):
        super().__init__(
            nn.Conv1d(voices * n_pitches, hidden, 1),
            nn.LeakyReLU(0.2),
            nn.Conv1d(hidden, 2 * hidden, 4, stride=4),
            nn.LeakyReLU(0.2),
            nn.Conv1d(2 * hidden, 4 * hidden, 4, stride=4),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(4 * hidden * BARS, 1),
        )


def fit(train, validation, options, seed):
    """Raises `ValueError` for options of sampling, and where no training piece has four bars."""
    if (options["temperature"], options["top_p"]) != (1.0, 1.0):
        raise ValueError("wgan_gp samples no cells: leave out temperature and top_p")
    sides = {"train": train, "validation": validation}
    long = {side: [piece for piece in pieces if len(piece) >= BAR * BARS] for side, pieces in sides.items()}
    if not long["train"]:
        raise ValueError(f"wgan_gp reads windows of {BARS} bars, and no training piece has so many")
    with seeded(seed):
        rng, recipe = np.random.default_rng(seed), RECIPES[options["preset"]]
        pitches = np.unique(np.concatenate(train))
        pitches = np.union1d([0], np.arange(pitches[pitches > 0].min(), pitches.max() + 1))
        hidden, noise = (PRESETS[options["preset"]][name] for name in ("hidden", "noise"))
        voices = train[0].shape[1]
        generator, critic = Generator(voices, hidden, noise, len(pitches)), Critic(voices, hidden, len(pitches))
        generator.allowed.copy_(_allowed(train, pitches))
        device = "cuda" if recipe.get("gpu") and torch.cuda.is_available() else "cpu"
        generator, critic = generator.to(device), critic.to(device)
        optimizers = [
            torch.optim.Adam(network.parameters(), lr=recipe["rate"], betas=(0.0, 0.9))
            for network in (critic, generator)
        ]
        places = np.zeros(PITCHES, np.int64)
        places[pitches] = np.arange(len(pitches))

        def real(side: str, transpose: int) -> Tensor:
            rows = rng.integers(0, len(long[side]), recipe["batch"])
            drawn = [_window(long[side][row], keys[side][row], transpose, rng) for row in rows]
            return _one_hot(places[np.stack(drawn)], len(pitches)).to(device)

        keys = {side: room(pieces, options["transpose"]) if pieces else [] for side, pieces in long.items()}
        curve, distances = [], []
        for update in range(1, recipe["updates"] + 1):
            for _ in range(CRITIC_UPDATES):
                windows, made = real("train", options["transpose"]), generator.drawn(recipe["batch"], BARS).detach()
                distance = critic(windows).mean() - critic(made).mean()
                _updated(optimizers[0], PENALTY * penalty(critic, windows, made) - distance)
                distances.append(distance.item())
            _updated(optimizers[1], -critic(generator.drawn(recipe["batch"], BARS)).mean())
            if update % max(recipe["updates"] // POINTS, 1) == 0:
                curve.append(
                    [
                        update,
                        float(np.mean(distances)),
                        _distance(critic, generator, real) if long["validation"] else None,
                    ]
                )
                distances = []
        if not np.isfinite(curve[-1][1]):
            raise ValueError(
                f"the critic's distance is {curve[-1][1]} after {recipe['updates']} updates: choose another preset"
            )
        arrays = {name: value.detach().cpu().numpy() for name, value in generator.state_dict().items()}
        return arrays | {"pitches": pitches.astype(np.uint8)}, {"curve": curve, "likelihood": "none"}


def build(arrays, options):
    """(the generator, the pitch of each of its shares)."""
    weights = {name: value for name, value in arrays.items() if name != "pitches"}
    hidden, noise = (PRESETS[options["preset"]][name] for name in ("hidden", "noise"))
    network = Generator(len(arrays["allowed"]), hidden, noise, len(arrays["pitches"]))
    return networks.restored(network, weights), arrays["pitches"]


@one_thread()
@torch.inference_mode()
def draw(model, n_pieces, steps, rng):
    """`(n_pieces, steps, voices)` uint8."""
    generator, pitches = model
    piece, bars = (
        torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
        for shape in ((n_pieces, generator.noise), (n_pieces, generator.noise, -(-steps // BAR)))
    )
    return binarised(generator(piece, bars), pitches)[:, :steps]


def binarised(shares: Tensor, pitches: np.ndarray) -> np.ndarray:
    """`(batch, steps, voices)` uint8: the likeliest pitch of each voice, the lowest of equal ones."""
    return pitches[shares.unflatten(1, (-1, len(pitches))).argmax(dim=2).mT.cpu().numpy()].astype(np.uint8)


def penalty(critic: nn.Module, real: Tensor, made: Tensor) -> Tensor:
    """The mean squared distance from 1 of the norm of the critic's gradient, at random points between both windows."""
    share = torch.rand(len(real), 1, 1, device=real.device)
    between = (share * real + (1 - share) * made).requires_grad_()
    gradient = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def _updated(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@torch.no_grad()
def _distance(critic, generator, real) -> float:
    windows = real("validation", 0)
    return float(critic(windows).mean() - critic(generator.drawn(len(windows), BARS)).mean())


def _window(piece: np.ndarray, key: tuple[int, int], transpose: int, rng: np.random.Generator) -> np.ndarray:
    """A random window from a quarter on, in a random key."""
    down, up = key
    first = int(rng.integers(0, len(piece) - BAR * BARS + 1)) // networks.PHASES * networks.PHASES
    by = int(rng.integers(-down, up + 1)) if transpose else 0
    return networks.shifted(piece[first : first + BAR * BARS], by)


def _one_hot(classes: np.ndarray, n_pitches: int) -> Tensor:
    """`(batch, voices * pitches, steps)` from `(batch, steps, voices)`."""
    return nn.functional.one_hot(torch.from_numpy(classes), n_pitches).permute(0, 2, 3, 1).flatten(1, 2).float()


def _allowed(train: Sequence[np.ndarray], pitches: np.ndarray) -> Tensor:
    """`(voices, pitches)`: 0 for silence and each pitch in the range of a voice in training, minus infinity for others."""
    cells = np.concatenate(train).astype(np.int64)
    low, high = np.where(cells > 0, cells, PITCHES).min(axis=0), cells.max(axis=0)
    inside = (pitches >= low[:, None]) & (pitches <= high[:, None]) | (pitches == 0)
    return torch.from_numpy(np.where(inside, 0.0, -np.inf).astype(np.float32))
