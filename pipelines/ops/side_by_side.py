"""Run stale stages side by side (`conservatory run -j N`): each starts when the stages it needs have ended, N at once at most.

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

import yaml

from pipelines.harness import executor
from pipelines.ops.due import ALONE
from pipelines.ops.patches.repro_output import ADVICE, UNCHANGED
from pipelines.ops.runs import follow, parent
from pipelines.ops.runs.call import environment, without_secrets
from pipelines.ops.runs.lines import bounded
from pipelines.ops.runs.progress import duration
from pipelines.ops.settings import load_params

Line = tuple[float, str, bool]
"""When it came, by the monotonic clock; the text; is it of standard error?"""


class Ended(NamedTuple):
    status: int
    lines: list[Line]
    seconds: float = 0.0


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
    thread for each stage when it has ended. trains: stages that take a GPU each; without `gpus` one of them runs at a time, since
    a training uses all cores, and two that share them took several times as long.
    """
    free, waiting = list(gpus) or [""], dict(needs)
    trains = set(trains)
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
                elif not open_needs and len(running) < jobs and (stage not in trains or free):
                    gpu = free.pop(0) if stage in trains else ""
                    running[pool.submit(start, stage, gpu)] = (stage, gpu)
                    del waiting[stage]
            for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                stage, gpu = running.pop(future)
                if stage in trains:
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
    began = time.monotonic()
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
        for text in bounded(stream):
            with alone:
                lines.append((time.monotonic(), text, is_error))
                say(text)

    aside = threading.Thread(target=read, args=(process.stderr, True), daemon=True)
    aside.start()
    read(process.stdout, False)
    status = process.wait()
    aside.join(timeout=5)  # what it left running in the background may hold the pipe
    return Ended(status, lines, time.monotonic() - began)


def run(
    needs: dict[str, tuple[str, ...]],
    jobs: int,
    command: list[str],
    follower: follow.Follower,
    look: Callable[[], None],
) -> int:
    """Run stages beside each other, each as a process, or with `executor.kind: ray` on a node of the cluster. Returns 1 if one
    failed, else 0."""
    settings = load_params()
    trains = _training(needs)
    env = without_secrets(environment()) | parent.named()

    def ended(stage: str, found: Ended) -> None:
        follower.replay(found.lines, found.status)
        look()
        print(f"{stage}: {'FAILED' if found.status else 'ended'} after {duration(found.seconds)}", flush=True)

    def say(stage: str) -> Callable[[str], None]:
        def line(text: str) -> None:
            if text.strip() and not UNCHANGED.match(text) and not text.startswith((*ADVICE, "> ", "Running")):
                print(text if text.startswith(stage.partition("@")[0]) else f"{stage}: {text}", flush=True)

        return line

    def start(stage: str, gpu: str) -> Ended:
        own = {**env, "CUDA_VISIBLE_DEVICES": gpu} if gpu else env
        return here([*command, *ALONE, stage], own, say(stage))

    if settings.get("executor", {}).get("kind") != "ray":
        return 1 if schedule(needs, jobs, start, ended, trains, gpus()) else 0
    with executor.session(settings["executor"]) as on_a_node:

        def start_there(stage: str, gpu: str) -> Ended:
            began = time.monotonic()
            status, lines, seconds = on_a_node(_of_a_node, [*command[1:], *ALONE, stage])
            found = Ended(status, [(began + when, text, is_error) for when, text, is_error in lines], seconds)
            for _, text, _ in found.lines:
                say(stage)(text)
            return found

        return 1 if schedule(needs, jobs, start_there, ended) else 0


def _of_a_node(command: list[str]) -> tuple[int, list[Line], float]:
    """`here` on a node of a Ray cluster, with that node's interpreter; times count from the beginning."""
    began = time.monotonic()
    ended = here([sys.executable, *command], without_secrets(environment()), lambda text: None)
    return ended.status, [(when - began, text, is_error) for when, text, is_error in ended.lines], ended.seconds


def _training(stages: Iterable[str]) -> list[str]:
    """Those of the stages that train a model, by the recipe's `meta`."""
    recipe = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    kinds = {kind for kind, stage in recipe.items() if stage.get("do", stage).get("meta", {}).get("trains")}
    return [stage for stage in stages if stage.partition("@")[0] in kinds]
