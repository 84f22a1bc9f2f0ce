"""What networks share: excerpts in random keys, training, likelihood, and their weights as arrays.

A network maps `(before, phase, cells)` to logits. `cells` `(batch, steps, voices)` are the steps, `before` of the same shape the
step before each, and `phase` `(batch, steps)` a step's place in the quarter. Logits are `(batch, steps, voices, 128)`; those of a
cell may use, of its own step, the voices above alone. Models call `fit` on one thread (`training.seeded`), so that the same seed
gives the same weights.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.tasks.sequences.fit.cells import BEGIN, PITCHES, room, shifted
from pipelines.training import loop
from pipelines.training.seeded import one_thread

PHASES = 4
PADDING = 255
PIECES_AT_ONCE = 16


def fit(
    network: nn.Module,
    recipe: Mapping,
    train: Sequence[np.ndarray],
    validation: Sequence[np.ndarray],
    transpose: int,
    seed: int,
    objective: Callable[[nn.Module, Tensor], Tensor] | None = None,
    validated: Callable[[nn.Module, Sequence[np.ndarray]], float] | None = None,
) -> tuple[dict[str, np.ndarray], dict]:
    """(the weights with the lowest validation loss, figures), by `training.loop`.

    objective: what is minimised, from the network and excerpts `(batch, steps + 1, voices)`, whose first step is the one before;
    None: nats a cell. validated: the loss by which weights are chosen; None: nats a step. recipe: `gpu`: train there; `updates`
    of the weights, each on `batch` excerpts of `steps` steps; `rate`, the highest learning rate; `decay`, the weight decay.
    transpose: as `cells.room` takes it.
    """
    if recipe.get("gpu") and torch.cuda.is_available():
        network = network.cuda()
    objective, validated = objective or nats_per_cell, validated or nats_per_step
    drawn = excerpts(train, recipe["batch"], recipe["steps"], transpose, np.random.default_rng(seed))
    device = next(network.parameters()).device
    figures = loop.train(
        network,
        (objective(network, each.to(device)) for each in drawn),
        lambda: validated(network, validation),
        updates=recipe["updates"],
        rate=recipe["rate"],
        decay=recipe["decay"],
        betas=(0.9, 0.99),
    )
    n_voices = train[0].shape[1]  # the curve is in nats a step
    figures["curve"] = [[update, n_voices * loss, found] for update, loss, found in figures["curve"]]
    best = min(found for *_, found in figures["curve"])
    arrays = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    return arrays, {"validation nats a step": round(best, 4)} | figures


def voices(arrays: Mapping[str, np.ndarray]) -> int:
    """How many voices a network with these weights models: each has an output layer of its own, `out.<voice>`."""
    return sum(bool(re.fullmatch(r"(.*\.)?out\.\d+\.bias", name)) for name in arrays)


def restored(network: nn.Module, arrays: Mapping[str, np.ndarray]) -> nn.Module:
    """The network with these weights, ready to predict. Raises `RuntimeError` where they are not its own."""
    network.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()})
    return network.eval()


def nats_per_cell(network: nn.Module, steps: Tensor) -> Tensor:
    """The mean over the cells of excerpts `(batch, steps + 1, voices)`."""
    losses = _losses(network, steps)
    return losses.sum() / (losses > 0).sum()


def nats_per_step(network: nn.Module, pieces: Sequence[np.ndarray]) -> float:
    """The mean over the steps of whole pieces."""
    return float(np.concatenate(cell_nats(network, pieces)).sum(axis=1).mean())


@one_thread()
def cell_nats(network: nn.Module, pieces: Sequence[np.ndarray]) -> list[np.ndarray]:
    """`(steps, voices)` of each piece: minus the log-probability of each cell, given all before it."""
    network.eval()
    found: list[np.ndarray] = [np.empty(0)] * len(pieces)
    order = sorted(range(len(pieces)), key=lambda n: len(pieces[n]))  # of about one length: little padding
    for first in range(0, len(order), PIECES_AT_ONCE):
        rows = order[first : first + PIECES_AT_ONCE]
        with torch.inference_mode():
            losses = _losses(network, padded([begun(pieces[row]) for row in rows])).cpu().numpy()
        for row, loss in zip(rows, losses, strict=True):
            found[row] = loss[: len(pieces[row])].astype(np.float64)
    return found


def _losses(network: nn.Module, steps: Tensor) -> Tensor:
    """`(batch, steps - 1, voices)` nats of all steps but the first; 0 where there is padding."""
    steps = steps.to(next(network.parameters()).device)
    before, cells = steps[:, :-1].clamp(max=BEGIN), steps[:, 1:]
    phase = (torch.arange(cells.shape[1], device=cells.device) % PHASES).expand(cells.shape[:2])
    logits = network(before, phase, cells.clamp(max=PITCHES - 1))
    return nn.functional.cross_entropy(logits.movedim(-1, 1), cells, ignore_index=PADDING, reduction="none")


def excerpts(
    train: Sequence[np.ndarray], batch: int, steps: int, transpose: int, rng: np.random.Generator
) -> Iterator[Tensor]:
    """Batch after batch without end of random excerpts in random keys, each with the step before it; they begin at a quarter."""
    keys, lengths = room(train, transpose), np.array([len(piece) for piece in train], float)
    while True:
        found = []
        for row in rng.choice(len(train), batch, p=lengths / lengths.sum()):
            down, up = keys[row]
            piece = begun(shifted(train[row], int(rng.integers(-down, up + 1))))
            # drawn from half an excerpt before the beginning on: beginnings are rare, and each piece that is generated has one
            first = int(rng.integers(-steps // 2, max(len(piece) - steps, 1)))
            found.append(piece[max(first, 0) // PHASES * PHASES :][: steps + 1])
        yield padded(found)


def begun(piece: np.ndarray) -> np.ndarray:
    """The piece after a step of marks of the beginning."""
    return np.concatenate([np.full((1, piece.shape[1]), BEGIN, np.int64), piece])


def padded(pieces: Sequence[np.ndarray]) -> Tensor:
    """`(pieces, steps of the longest, voices)`."""
    found = np.full((len(pieces), max(map(len, pieces)), pieces[0].shape[1]), PADDING, np.int64)
    for row, piece in enumerate(pieces):
        found[row, : len(piece)] = piece
    return torch.from_numpy(found)
