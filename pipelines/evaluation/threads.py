"""One thread for BLAS and OpenMP: sums in a changing order would change the last bits, and with them ties."""

from contextlib import AbstractContextManager
from functools import cache

import sklearn  # noqa: F401 - its OpenMP must be loaded before libraries are looked for
from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager:
    """A context in which BLAS and OpenMP use one thread."""
    return _libraries().limit(limits=1)


@cache
def _libraries() -> ThreadpoolController:
    # looking through all loaded libraries takes some 20 ms, and a study asks hundreds of times
    return ThreadpoolController()
