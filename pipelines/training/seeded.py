"""One thread and one seed: equal trainings give equal weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch draws from `seed` on the CPU and computes on one thread, because sums in another order would give other weights.

    Afterwards, and after an error, the number of threads and the CPU's generator are as before.
    """
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
