"""mixup (Zhang et al. 2018, arXiv 1710.09412): convex combinations of pairs of chunks and of their labels."""

import torch
from torch import Tensor


def mixed(chunks: Tensor, targets: Tensor, settings: dict) -> tuple[Tensor, Tensor]:
    """Chunks `(batch, ...)` and targets `(batch, classes)`, each mixed with those of another place of the batch; each pair has a
    share of its own, drawn from Beta(mixup, mixup)."""
    alpha = settings.get("mixup")
    if not alpha:
        return chunks, targets
    share = torch.distributions.Beta(alpha, alpha).sample((len(chunks),)).to(chunks)
    partner = torch.randperm(len(chunks)).to(chunks.device)

    def mix(values: Tensor) -> Tensor:
        own = share.to(values).reshape(-1, *[1] * (values.ndim - 1))
        return own * values + (1 - own) * values[partner]

    return mix(chunks), mix(targets)
