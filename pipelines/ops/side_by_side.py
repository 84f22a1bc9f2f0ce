"""Run stale stages side by side, each in a process of its own: `conservatory run -j N`."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from pipelines.harness import executor
from pipelines.ops import parallel
from pipelines.ops.due import ALONE
from pipelines.ops.patches.repro_output import ADVICE, UNCHANGED
from pipelines.ops.runs import follow, parent
from pipelines.ops.runs.call import environment, without_secrets
from pipelines.ops.runs.progress import duration
from pipelines.ops.settings import load_params


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

    def ended(stage: str, found: parallel.Ended) -> None:
        follower.replay(found.lines, found.status)
        look()
        took = found.lines[-1][0] - found.lines[0][0] if found.lines else 0.0
        print(f"{stage}: {'FAILED' if found.status else 'ended'} after {duration(took)}", flush=True)

    def say(stage: str) -> Callable[[str], None]:
        def line(text: str) -> None:
            if text.strip() and not UNCHANGED.match(text) and not text.startswith((*ADVICE, "> ", "Running")):
                print(text if text.startswith(stage.partition("@")[0]) else f"{stage}: {text}", flush=True)

        return line

    def start(stage: str, gpu: str) -> parallel.Ended:
        own = {**env, "CUDA_VISIBLE_DEVICES": gpu} if gpu else env
        return parallel.here([*command, *ALONE, stage], own, say(stage))

    if settings.get("executor", {}).get("kind") != "ray":
        return 1 if parallel.schedule(needs, jobs, start, ended, trains, parallel.gpus()) else 0
    with executor.session(settings["executor"]) as on_a_node:

        def start_there(stage: str, gpu: str) -> parallel.Ended:
            began = time.monotonic()
            status, lines = on_a_node(parallel.on_a_node, (command[1:] + ALONE + [stage], {}))
            found = parallel.Ended(status, [(began + when, text, is_error) for when, text, is_error in lines])
            for _, text, _ in found.lines:
                say(stage)(text)
            return found

        return 1 if parallel.schedule(needs, jobs, start_there, ended) else 0


def _training(stages: Iterable[str]) -> list[str]:
    """Those of the stages that train a model, by the recipe's `meta`."""
    recipe = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    kinds = {kind for kind, stage in recipe.items() if stage.get("do", stage).get("meta", {}).get("trains")}
    return [stage for stage in stages if stage.partition("@")[0] in kinds]
