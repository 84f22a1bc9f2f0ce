"""The loop that trains the networks of families of tasks: updates, validation losses now and then, the best weights."""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

CHECKS = 6
"""How often the validation loss is looked at, in the second half of the training."""
GRADIENT = 1.0
"""The largest norm of a gradient."""
log = logging.getLogger("train")


def train(
    network: nn.Module,
    losses: Iterator[Tensor],
    validation: Callable[[], float],
    *,
    updates: int,
    rate: float,
    decay: float,
    betas: tuple[float, float],
) -> dict:
    """The network gets the weights with the lowest `validation()`, which is asked without gradients and dropout. losses: of each
    update, with a gradient.

    AdamW with the highest learning rate `rate`, the weight decay `decay` and the decay rates `betas` of its two moments; the rate
    warms up over a tenth of the updates and then falls along a cosine (Loshchilov and Hutter 2019, arXiv 1711.05101).

    Figures: `best update`, and `curve`: (update, mean training loss since the last point, validation loss). Raises `ValueError`
    where a validation loss is not finite.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, betas=betas)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=updates + 1, pct_start=0.1, cycle_momentum=False
    )
    looked_at = set(np.linspace((updates + 1) // 2, updates, CHECKS).round().astype(int).tolist())
    best, curve, recent = None, [], []
    network.train()
    for update in range(1, updates + 1):
        loss = next(losses)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT)
        optimizer.step()
        schedule.step()
        recent.append(loss.item())
        if update in looked_at:
            network.eval()
            with torch.inference_mode():
                found = validation()
            network.train()
            if not np.isfinite(found):
                raise ValueError(
                    f"the validation loss is {found} after {update} of {updates} updates: the training diverged; give the run "
                    "another `preset`, or other `updates`"
                )
            curve.append([update, float(np.mean(recent)), found])
            log.info("update %d of %d: validation loss %.4f", update, updates, found)
            recent = []
            if best is None or found < best[0]:
                best = found, update, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(best[2])
    network.eval()
    return {"best update": best[1], "curve": curve}
