"""Fan clips out over worker processes.

Tasks are small: paths, row numbers and parameters, never arrays (handing 2 MB to a process and back costs more than
computing a log-mel). Workers run one thread each, live for the whole stage, and write their own shards.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def n_workers(wanted: int = 0) -> int:
    """`wanted`, or with 0 the number of cores this process may use."""
    return wanted or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else wanted or os.cpu_count() or 1


def run(function: Callable[[Any], Any], tasks: Sequence[Any], workers: int = 0) -> Iterator[Any]:
    """Yield `function(task)` for each task, in the tasks' order, computed by `workers` processes (0: one a core).

    `function` is a module's top-level function. With one worker, or one task, it runs in this process.
    An exception in a worker is raised here, and the work not yet begun is dropped.
    """
    workers = min(n_workers(workers), len(tasks))
    if workers <= 1:
        yield from map(function, tasks)
        return
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by the workers when they import numpy
    # spawn: forking a process that has started threads (BLAS, torch) can deadlock
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield from pool.map(function, tasks)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
