"""Memoise intermediate results of a signal while `one_pass` is open, so that features share them.

Nothing is kept outside of it, and at most `LIMIT` bytes within: larger results are computed again where they are needed, so that
memory is bounded for a clip of any length. Each thread has its own memo.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps

import numpy as np

LIMIT = 64 << 20  # bytes

_memory: ContextVar[dict | None] = ContextVar("memory", default=None)


@contextmanager
def one_pass() -> Iterator[None]:
    """Within this block `shared` functions and `blocks` remember their results, by signal and parameters.

    One opened inside another is the same pass.
    """
    if _memory.get() is not None:
        yield
        return
    token = _memory.set({"bytes": 0})
    try:
        yield
    finally:
        _memory.reset(token)


def shared(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Decorate `function(y, *parameters) -> array`: in one pass the same call returns the same, read-only, array."""

    @wraps(function)
    def call(y, *arguments, **keywords):
        memory = _memory.get()
        if memory is None:
            return function(y, *arguments, **keywords)
        key = (function.__module__, function.__qualname__, id(y), arguments, tuple(sorted(keywords.items())))
        if key not in memory:
            result = function(y, *arguments, **keywords)
            if not _room(memory, np.asarray(result).nbytes):
                return result
            if isinstance(result, np.ndarray):
                result.flags.writeable = False
            memory[key] = (y, result)  # the signal is held, so that its id stays its own
        return memory[key][1]

    return call


def blocks(key: tuple, y: np.ndarray, n_bytes: int, make: Callable[[], Iterable[np.ndarray]]) -> Iterable[np.ndarray]:
    """The arrays `make()` yields over `y`, `n_bytes` in all: kept in one pass where there is room, else made afresh."""
    memory, key = _memory.get(), ("blocks", id(y), *key)
    if memory is None:
        return make()
    if key not in memory:
        if not _room(memory, n_bytes):
            return make()
        memory[key] = (y, list(make()))
    return memory[key][1]


def _room(memory: dict, n_bytes: int) -> bool:
    """Take `n_bytes` of what is left, if there are so many."""
    if memory["bytes"] + n_bytes > LIMIT:
        return False
    memory["bytes"] += n_bytes
    return True
