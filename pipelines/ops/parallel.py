"""Run stages side by side: each starts when the stages it needs have ended, as many at once as were asked for.

A stage is one `dvc repro --single-item` of its own; DVC's lock keeps their entries in dvc.lock apart. Stages write different
files, so the outputs have the same bytes as those of a run one after another.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

Line = tuple[float, str, bool]
"""When it came, by the monotonic clock; the text; is it of standard error?"""


class Ended(NamedTuple):
    status: int
    lines: list[Line]


def schedule(
    needs: Mapping[str, Collection[str]],
    jobs: int,
    start: Callable[[str, str], Ended],
    ended: Callable[[str, Ended], None],
    trains: Collection[str] = (),
    gpus: Iterable[str] = (),
) -> list[str]:
    """Run all stages of `needs` (stage -> stages it needs, in an order in which each comes after those) and return those that
    failed. A stage whose need failed is left out, and everything else runs.

    start: runs a stage; called in a thread with the stage and the GPU that it has to itself, "" for none. ended: called in this
    thread for each stage when it has ended. trains: stages that take a GPU each, where there are `gpus`.
    """
    free, waiting = list(gpus), dict(needs)
    with_gpu = set(trains) if free else set()
    running: dict[Future, tuple[str, str]] = {}
    failed: list[str] = []
    lost: set[str] = set()  # failed, or need what failed
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            for stage in list(waiting):
                open_needs = set(waiting[stage]) & (set(waiting) | {name for name, _ in running.values()})
                if not lost.isdisjoint(waiting[stage]):
                    lost.add(stage)
                    del waiting[stage]
                elif not open_needs and len(running) < jobs and (stage not in with_gpu or free):
                    gpu = free.pop(0) if stage in with_gpu else ""
                    running[pool.submit(start, stage, gpu)] = (stage, gpu)
                    del waiting[stage]
            for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                stage, gpu = running.pop(future)
                if gpu:
                    free.append(gpu)
                result = future.result()
                if result.status:
                    failed.append(stage)
                    lost.add(stage)
                ended(stage, result)
    return failed


def gpus() -> list[str]:
    """The numbers of this machine's NVIDIA GPUs, or those of CUDA_VISIBLE_DEVICES."""
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [number.strip() for number in chosen.split(",") if number.strip()]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


def here(command: list[str], env: Mapping[str, str], say: Callable[[str], None]) -> Ended:
    """Run a command on this machine; `say` gets each line as it comes, a line at a time."""
    process = subprocess.Popen(
        command,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    lines: list[Line] = []
    alone = threading.Lock()

    def read(stream, is_error: bool) -> None:
        for text in stream:
            with alone:
                lines.append((time.monotonic(), text.rstrip("\n"), is_error))
                say(lines[-1][1])

    aside = threading.Thread(target=read, args=(process.stderr, True), daemon=True)
    aside.start()
    read(process.stdout, False)
    status = process.wait()
    aside.join(timeout=5)  # what it left running in the background may hold the pipe
    return Ended(status, lines)


def on_a_node(task: tuple[list[str], dict[str, str]]) -> tuple[int, list[tuple[float, str, bool]]]:
    """The same on a node of a Ray cluster, which sees the project under the same path; its lines come when it has ended."""
    command, env = task
    began = time.monotonic()
    ended = here([sys.executable, *command], {**os.environ, **env}, lambda text: None)
    return ended.status, [(when - began, text, is_error) for when, text, is_error in ended.lines]
