"""The stages of dvc.yaml, their groups (`foreach`, `matrix`), and which stage needs which. No Dagster, and nothing is run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from assets import lock
from pipelines import recipe
from pipelines.core import paths
from pipelines.ops.patches import resolver


@dataclass(frozen=True)
class Stage:
    """One `dvc repro` target: a stage without items, or one item of a stage group."""

    name: str  # as `dvc repro` wants it: features@scores-log_mel
    group: str  # features
    values: tuple[str, ...]  # one a dimension of its group: ("scores", "log_mel")
    outs: tuple[str, ...]  # as written in dvc.yaml, from the project's folder

    @property
    def data(self) -> str:
        """The output whose hash is the data version: the first that is not a record."""
        return next((out for out in self.outs if not out.startswith(paths.RECORDS)), self.outs[0])

    @property
    def record(self) -> str | None:
        """Where the stage leaves its record, or None if it leaves none."""
        return next((out for out in self.outs if out.startswith(paths.RECORDS)), None)


@dataclass(frozen=True)
class StageGroup:
    """A stage of dvc.yaml with all its `foreach` or `matrix` items; it becomes one asset."""

    name: str
    description: str
    meta: Mapping  # `meta:` of dvc.yaml: group, kinds, owner, checks, warnings, title of the record's note
    dimensions: tuple[str, ...]  # what the items vary over, sorted by name; empty for a stage without items
    stages: tuple[Stage, ...]
    upstream: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    """Group -> the pairs (stage of this group, stage of that group) in which the first reads an output of the second."""

    @cached_property
    def characters(self) -> frozenset[str]:
        """All characters in the names of its items."""
        return frozenset().union(*(value for stage in self.stages for value in stage.values))


def load(project: Path) -> dict[str, StageGroup]:
    """Name -> stage group, each after the groups it needs.

    A group without items (no taggers of a kind, say) is left out. Other dvc.yaml files are ignored.
    """
    return lock.whole(project, lambda: _load(project))


def _load(project: Path) -> dict[str, StageGroup]:
    resolved = resolver.resolver(project)
    entries = resolved.resolve()["stages"]
    stages, firsts = {}, {}
    for name, entry in entries.items():
        group, _, key = name.partition("@")
        values = resolver.item(resolved.definitions[group], key)
        stages[name] = Stage(name, group, tuple(values.values()), tuple(recipe.paths(entry, *recipe.OUTS)))
        firsts.setdefault(group, (entry, values))
    upstream = {group: {} for group in firsts}
    for down, up in _needs(entries):
        if stages[down].group != stages[up].group:
            upstream[stages[down].group].setdefault(stages[up].group, set()).add((down, up))
    groups = {}
    for group, (entry, values) in firsts.items():
        meta = entry.get("meta", {})
        dimensions = tuple(meta.get("items", name) if name == "item" else name for name in values)
        members = tuple(stage for stage in stages.values() if stage.group == group)
        needs = {other: frozenset(pairs) for other, pairs in upstream[group].items()}
        groups[group] = StageGroup(group, entry.get("desc", ""), meta, dimensions, members, needs)
    return _in_order(groups)


def _needs(entries: Mapping[str, Mapping]) -> Iterator[tuple[str, str]]:
    """The pairs (stage, stage whose output it reads)."""
    sides = {"deps": ("deps",), "outs": recipe.OUTS}
    files = {
        name: {side: [{"path": path} for path in recipe.paths(entry, *lists)] for side, lists in sides.items()}
        for name, entry in entries.items()
    }
    graph = recipe.Graph(files)
    return ((name, other) for name in entries for other in graph.needs(name))


def ancestors(groups: Mapping[str, StageGroup], names: set[str]) -> set[str]:
    """All groups that `names` need, directly or not."""
    direct = {up for name in names for up in groups[name].upstream}
    return direct | ancestors(groups, direct) if direct else set()


def descendants(groups: Mapping[str, StageGroup], names: set[str]) -> set[str]:
    """All groups that need one of `names`, directly or not."""
    return {name for name in groups if ancestors(groups, {name}) & names}


def _in_order(groups: dict[str, StageGroup]) -> dict[str, StageGroup]:
    ordered: dict[str, StageGroup] = {}
    while len(ordered) < len(groups):
        ready = [name for name, group in groups.items() if name not in ordered and set(group.upstream) <= set(ordered)]
        if not ready:
            raise ValueError(f"these stages of dvc.yaml need each other: {', '.join(set(groups) - set(ordered))}")
        ordered |= {name: groups[name] for name in ready}
    return ordered
