"""One thread and one seed: equal trainings give equal weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes on one thread, and afterwards, and after an error, on as many as before. Also a decorator.

    Sums in another order are others; and steps that are small take longer on two threads, which wait for each other.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch draws from `seed` on the CPU and computes on one thread, because sums in another order would give other weights.

    Afterwards, and after an error, the number of threads and the CPU's generator are as before.
    """
    state = torch.get_rng_state()
    with one_thread():
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_rng_state(state)
