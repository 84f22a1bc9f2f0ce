"""Find the stages that are up to date, and why the others are stale. DVC decides, for all stages in one process.

`dvc status` hashes what a stage reads once a stage, and reads params.yaml anew for each; most stages read the same code
and parameters. Here each path is hashed once (DVC's database of hashes knows the unchanged ones by their time and size) and
params.yaml is read once, so that a stage costs milliseconds. No lock is taken: it can be asked while a run goes on.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from pipelines import recipe
from pipelines.ops.dvc import errors

FRESH, STALE, NEVER, GONE = "fresh", "stale", "never run", "gone"
SETTLED = 2.0  # seconds; a plain `dvc repro` writes dvc.lock in place, and what cannot be read for so long is not being written


class StatusError(ValueError):
    """The recipe cannot be read; the message says why."""


@dataclass(frozen=True)
class State:
    """What a stage is: FRESH; STALE, it would run; NEVER run; GONE, files are away that DVC can bring back or make again, and
    nothing else has changed (a clone before `dvc pull`). `needs`: the stages whose outputs it reads, where all were asked for."""

    state: str
    why: tuple[str, ...] = ()
    needs: tuple[str, ...] = field(default=(), compare=False)


def states(project: Path = Path(), only: Iterable[str] | None = None) -> dict[str, State]:
    """Stage -> its state, in an order in which each comes after what it needs. With `only`, of these stages, in their order,
    without regard to what they need.

    A stage that reads what a stale one makes is stale too, and says after which; if that one makes the same bytes again, it
    will not run. Folders outside the project are seen as params.yaml records them (`conservatory refresh` looks at them).
    Raises `StatusError`.
    """
    from dvc.exceptions import DvcException  # half a second to import

    from pipelines.ops.dvc import lock

    lock.install()
    until = time.monotonic() + SETTLED
    while True:
        try:
            return _states(project) if only is None else _own(project, only)
        except (DvcException, yaml.YAMLError) as error:
            why = errors.sentence(error, project)
            if why or time.monotonic() > until:
                raise StatusError(why or f"The recipe cannot be read: {' '.join(str(error).split())}") from error
            time.sleep(0.1)


def as_locked(project: Path, stage: str) -> bool:
    """Is all that the stage reads as in dvc.lock? Then a failure of it is no change's fault, and no change undone mends it."""
    if not (project / recipe.LOCK).exists():
        return False
    with contextlib.suppress(StatusError, KeyError):  # a stage that is no more in the recipe
        return states(project, [stage])[stage].state in (GONE, FRESH)
    return False


def _states(project: Path) -> dict[str, State]:
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        stages = {getattr(stage, "name", None) or stage.addressing: stage for stage in repo.index.stages}
        graph = recipe.Graph({name: _paths(repo, stage) for name, stage in stages.items()})
        look = _Look(stages.values(), graph)
        found = {name: look.at(stage) for name, stage in stages.items()}
    ordered: dict[str, State] = {}
    for name in graph.upstream(stages):
        own = found[name]
        needs = graph.needs(name)
        after = [up for up in needs if up in ordered and ordered[up].state in (STALE, NEVER)]
        if after and own.state in (FRESH, GONE):
            own = State(STALE, tuple(f"after {up}" for up in after))
        ordered[name] = replace(own, needs=tuple(needs))
    return ordered


def _own(project: Path, names: Iterable[str]) -> dict[str, State]:
    from dvc.dvcfile import load_file
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        written = load_file(repo, str(project.absolute() / "dvc.yaml")).stages
        stages = {name: written[name] for name in names}
        look = _Look(stages.values(), recipe.Graph({}))
        return {name: look.at(stage) for name, stage in stages.items()}


def _paths(repo, stage) -> dict[str, list[dict]]:
    """A stage's inputs and outputs as dvc.lock writes them."""
    return {
        kind: [{"path": repo.fs.relpath(file.fs_path, repo.root_dir)} for file in files if file.is_in_repo]
        for kind, files in (("deps", stage.deps), ("outs", stage.outs))
    }


class _Look:
    """Compares stages with what lies in the project; what it has hashed it hashes no second time."""

    def __init__(self, stages, graph: recipe.Graph):
        self.graph = graph
        self.made = {out.fs_path: out.hash_info for stage in stages for out in stage.outs}
        self.hashes: dict[str, object] = {}
        self.settings: dict[str, dict] = {}

    def at(self, stage) -> State:
        if stage.outs and not any(out.hash_info for out in stage.outs):
            return State(NEVER)
        why = ["its command changed"] if getattr(stage, "cmd_changed", False) else []
        if stage.always_changed:
            why.append("it always runs")
        gone = []
        for dep in stage.deps:
            if hasattr(dep, "params"):
                why += self._params(dep)
            elif (now := self._hash(dep)) is None and self._comes_back(dep):
                gone.append(f"{dep} is away")
            elif now is None:
                why.append(f"{dep} is away")
            elif now != dep.hash_info:
                why.append(f"{dep} changed" if dep.hash_info else f"{dep} is new to it")
        for out in stage.outs:
            if (now := self._hash(out)) is None:
                gone.append(
                    f"{out} is away" + ("; DVC's cache has it" if out.use_cache and not out.changed_cache() else "")
                )
            elif now != out.hash_info:
                why.append(f"{out} is not what the stage made")
            elif out.use_cache and out.changed_cache():
                why.append(f"{out} is not in DVC's cache")
        return State(STALE, tuple(why)) if why else State(GONE, tuple(gone)) if gone else State(FRESH)

    def _comes_back(self, dep) -> bool:
        """Is what a stage should read the very output of another, or inside one, or around some?"""
        if dep.fs_path in self.made:
            return self.made[dep.fs_path] == dep.hash_info
        return bool(dep.hash_info and self.graph.outputs(dep.repo.fs.relpath(dep.fs_path, dep.repo.root_dir)))

    def _hash(self, file):
        """DVC's hash of a path as it is now; None where there is nothing."""
        from dvc_data.hashfile.build import build

        if file.fs_path not in self.hashes:
            try:
                store = file.cache if file.use_cache else file.local_cache
                _, _, made = build(store, file.fs_path, file.fs, file.hash_name, dry_run=True, ignore=file.dvcignore)
                self.hashes[file.fs_path] = made.hash_info
            except FileNotFoundError:
                self.hashes[file.fs_path] = None
        return self.hashes[file.fs_path]

    def _params(self, dep) -> Iterator[str]:
        import dpath
        from dvc.utils.serialize import load_path

        if not dep.exists:
            yield f"{dep} is away"
            return
        if dep.fs_path not in self.settings:
            self.settings[dep.fs_path] = load_path(dep.fs_path, dep.fs)
        now, locked = self.settings[dep.fs_path], dep.hash_info.value or {}
        for key in dep.params or dict.fromkeys([*now, *locked]):
            try:
                value = dpath.get(now, key, separator=".") if dep.params else now[key]
            except KeyError:
                yield f"{key} is no more in {dep}"
                continue
            if key not in locked:
                yield f"{key} in {dep} is new to it"
            elif (list(value) if isinstance(value, tuple) else value) != locked[key]:
                yield f"{key} in {dep} changed"
