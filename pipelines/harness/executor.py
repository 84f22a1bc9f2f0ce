"""Fan clips out over workers: processes of this machine, or a Ray cluster (`executor` in params.yaml).

Tasks are small: paths, row numbers and parameters, never arrays (handing 2 MB to a process and back costs more than
computing a log-mel). Workers run one thread each, live for the whole stage, and write their own shards, named by the task:
the outputs have the same bytes for any number and kind of workers.
"""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

FEW_S = 480  # seconds of sound


def n_workers(wanted: int = 0) -> int:
    """`wanted`, or with 0 the number of cores this process may use."""
    return wanted or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else wanted or os.cpu_count() or 1


def run(
    function: Callable[[Any], Any], tasks: Sequence[Any], settings: dict | None = None, sound_s: float | None = None
) -> Iterator[Any]:
    """Yield `function(task)` for each task, in the tasks' order.

    `function` is a module's top-level function. `settings` is params.yaml's `executor`: `kind` "processes" (`workers` of
    them, 0: one a core; with one worker, or one task, in this process) or "ray" (a cluster at `address`; its nodes see
    this folder under the same path). `sound_s`: how many seconds of sound the tasks must go through; where it is
    little, this process does it sooner than workers would have started. An exception in a worker is raised here, and the work
    not yet begun is dropped.
    """
    settings = settings or {}
    kind = settings.get("kind", "processes")
    if sound_s is not None and sound_s < FEW_S:
        yield from map(function, tasks)
    elif kind == "ray":
        yield from _ray(function, tasks, settings)
    elif kind == "processes":
        yield from _processes(function, tasks, min(n_workers(settings.get("workers", 0)), len(tasks)))
    else:
        raise SystemExit(f"executor.kind in params.yaml is {kind!r}; there is processes and ray")


def _processes(function: Callable, tasks: Sequence, workers: int) -> Iterator[Any]:
    if workers <= 1:
        yield from map(function, tasks)
        return
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by the workers when they import numpy
    # spawn: forking a process that has started threads (BLAS, torch) can deadlock
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield from pool.map(function, tasks)
    except BrokenProcessPool as error:
        raise SystemExit(
            "A worker was ended from outside, most often because memory ran out. What was finished is kept; run again, with "
            "fewer workers (executor.workers in params.yaml) if it is memory."
        ) from error
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    else:
        pool.shutdown(wait=False)  # workers take a third of a second to leave
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _ray(function: Callable, tasks: Sequence, settings: dict) -> Iterator[Any]:
    with _cluster(settings) as submit:
        waiting = [submit(function, task) for task in tasks]
        for place, reference in enumerate(waiting):
            yield reference.result()
            waiting[place] = None  # Ray may forget the result


@contextmanager
def session(settings: dict) -> Iterator[Callable[[Callable[[Any], Any], Any], Any]]:
    """Connect to the Ray cluster of `settings` (params.yaml's `executor`) for as long as the block lasts.

    Yields a function that runs `function(task)` on a node and waits for its result; several threads may call it at once.
    """
    with _cluster(settings, scheduling_strategy="SPREAD") as submit:
        yield lambda function, task: submit(function, task).result()


@contextmanager
def _cluster(settings: dict, **options: Any) -> Iterator[Callable]:
    """Yields a function that starts `function(task)` on a node and returns a handle with `result()`."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise SystemExit(
            "executor.kind is ray, which is not installed: pip install -c constraints.txt '.[ray]'"
        ) from error
    address, here = settings.get("address") or "auto", os.getcwd()
    # Ray itself, asked for one thread a task, sets OMP_NUM_THREADS alone
    variables = dict.fromkeys(THREAD_VARIABLES, "1")
    variables["PYTHONPATH"] = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    if cache := os.environ.get("CONSERVATORY_CACHE"):
        variables["CONSERVATORY_CACHE"] = cache
    try:
        _reach(address)
        ray.init(address, runtime_env={"env_vars": variables}, log_to_driver=False, logging_level="error")
    except OSError as error:
        raise SystemExit(
            f"No Ray cluster answers at {address!r} (executor.address in params.yaml): start one with `ray start --head`, or "
            "set executor.kind to processes."
        ) from error
    try:
        remote = ray.remote(num_cpus=1, **options)(_in_project)

        def submit(function: Callable, task: Any):
            module = function.__module__
            if module == "__main__" and (spec := sys.modules["__main__"].__spec__):
                module = spec.name  # a stage, run as `python -m`: the cluster's processes have another main module
            return remote.remote(here, module, function.__qualname__, task).future()

        yield submit
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise `OSError` where nobody listens at `host:port`: Ray itself goes on trying for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _in_project(folder: str, module: str, name: str, task: Any) -> Any:
    """On a node of the cluster: run a function of this project in the project's folder."""
    import importlib

    if not os.path.isdir(folder):
        raise RuntimeError(f"this node does not see {folder}: the project must lie on a disk that all nodes share")
    os.chdir(folder)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return getattr(importlib.import_module(module), name)(task)
