"""Find the stages that are up to date, and why the others are stale, for all stages in one process.

DVC's own objects are compared (`pipelines/ops/patches/comparison.py`), so the answer is that of `dvc status`.
"""

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from pipelines import recipe
from pipelines.ops.dvc import errors

FRESH, STALE, NEVER, GONE = "fresh", "stale", "never run", "gone"
SETTLED = (
    2.0  # seconds; a plain `dvc repro` writes dvc.lock in place: only a file that stays unreadable so long is damaged
)


class StatusError(ValueError):
    """The recipe cannot be read; the message says why."""


@dataclass(frozen=True)
class State:
    """The state of a stage: FRESH; STALE, it would run; NEVER run; or GONE, files are missing that DVC can restore or make
    again, and nothing else has changed (a clone before `dvc pull`). `needs`: the stages whose outputs it reads, if all were asked
    for."""

    state: str
    why: tuple[str, ...] = ()
    needs: tuple[str, ...] = field(default=(), compare=False)


def states(project: Path = Path(), only: Iterable[str] | None = None) -> dict[str, State]:
    """Stage -> its state, each after the stages it needs. With `only`: of these stages, in their order, without regard to the
    stages they need.

    A stage that reads the output of a stale stage is stale too, with the reason "after" that stage; if that one makes the same
    bytes again, it will not run. Folders outside the project are taken as params.yaml records them (`conservatory refresh`
    updates the record). Raises `StatusError`.
    """
    from dvc.exceptions import DvcException  # half a second to import

    from pipelines.ops.patches import lockfile

    lockfile.install()
    until = time.monotonic() + SETTLED
    while True:
        try:
            return _states(project) if only is None else _own(project, list(only))
        except (DvcException, yaml.YAMLError) as error:
            why = errors.sentence(error, project)
            if why or time.monotonic() > until:
                raise StatusError(why or f"The recipe cannot be read: {' '.join(str(error).split())}") from error
            time.sleep(0.1)


def as_locked(project: Path, stage: str) -> bool:
    """Are all inputs of a stage as in dvc.lock? If so, no change caused its failure, and undoing one will not repair it."""
    if not (project / recipe.LOCK).exists():
        return False
    with contextlib.suppress(StatusError, KeyError):  # a stage that was removed from the recipe
        return states(project, [stage])[stage].state in (GONE, FRESH)
    return False


def _states(project: Path) -> dict[str, State]:
    from dvc.repo import Repo

    from pipelines.ops.patches import comparison

    with Repo(str(project)) as repo:
        stages = comparison.stages(repo)
        graph = recipe.Graph({name: comparison.files(repo, stage) for name, stage in stages.items()})
        compared = comparison.Comparison(stages.values(), graph)
        found = {name: _state(compared.difference(stage)) for name, stage in stages.items()}
    ordered: dict[str, State] = {}
    for name in graph.upstream(stages):
        own = found[name]
        needs = graph.needs(name)
        after = [up for up in needs if up in ordered and ordered[up].state in (STALE, NEVER)]
        if after and own.state in (FRESH, GONE):
            own = State(STALE, tuple(f"after {up}" for up in after))
        ordered[name] = replace(own, needs=tuple(needs))
    return ordered


def _own(project: Path, names: list[str]) -> dict[str, State]:
    from dvc.repo import Repo

    from pipelines.ops.patches import comparison

    with Repo(str(project)) as repo:
        stages = comparison.named_stages(repo, project, names)
        compared = comparison.Comparison(stages.values(), recipe.Graph({}))
        return {name: _state(compared.difference(stage)) for name, stage in stages.items()}


def _state(found) -> State:
    """The state that a `comparison.Difference` means; of None, NEVER."""
    if found is None:
        return State(NEVER)
    return State(STALE, found.changed) if found.changed else State(GONE, found.gone) if found.gone else State(FRESH)
