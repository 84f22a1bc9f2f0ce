"""What the recipe says, read from DVC's own index: stages, what they are items of, and which need which.

Belongs here: everything that knows DVC's Python interface. Not here: anything of Dagster, and running a stage.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvc.dvcfile import load_file
from dvc.parsing import ForeachDefinition, MatrixDefinition
from dvc.repo import Repo

from assets import lock

RECORDS = "data/records/"


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
        return next((out for out in self.outs if not out.startswith(RECORDS)), self.outs[0])

    @property
    def record(self) -> str | None:
        """Where the stage leaves its record, or None if it leaves none."""
        return next((out for out in self.outs if out.startswith(RECORDS)), None)


@dataclass(frozen=True)
class StageGroup:
    """A stage of dvc.yaml with all its `foreach` or `matrix` items: one asset."""

    name: str
    description: str
    meta: Mapping  # `meta:` of dvc.yaml: group, kinds, owner, checks, warnings
    dimensions: tuple[str, ...]  # what the items vary over, sorted by name; empty for a stage without items
    stages: tuple[Stage, ...]
    upstream: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    """Group -> the pairs (stage of this group, stage of that group) in which the first reads what the second makes."""


def load(project: Path) -> dict[str, StageGroup]:
    """Name -> stage group, in an order in which each comes after what it needs.

    A group that has no items (no taggers of a kind, say) is left out. Stages in other dvc.yaml files are not looked at.
    """
    return lock.whole(project, lambda: _load(project))


def _load(project: Path) -> dict[str, StageGroup]:
    with Repo(str(project)) as repo:
        definitions = load_file(repo, str(project / "dvc.yaml")).resolver.definitions
        stages, made = {}, {}
        for stage in repo.index.stages:
            name = getattr(stage, "name", None)
            group = name.partition("@")[0] if name else ""
            if group not in definitions or Path(stage.wdir) != Path(repo.root_dir):
                continue
            values = _values(definitions[group], name.partition("@")[2])
            stages[stage] = Stage(name, group, tuple(values.values()), tuple(out.def_path for out in stage.outs))
            made.setdefault(group, []).append((stage, values))
        upstream = {group: {} for group in made}
        for down, up in repo.index.graph.edges:
            if down in stages and up in stages and stages[down].group != stages[up].group:
                pairs = upstream[stages[down].group].setdefault(stages[up].group, set())
                pairs.add((stages[down].name, stages[up].name))
        groups = {}
        for group, items in made.items():
            first, values = items[0]
            meta = first.meta or {}
            dimensions = tuple(meta.get("items", name) if name == "item" else name for name in values)
            needs = {other: frozenset(pairs) for other, pairs in upstream[group].items()}
            members = tuple(stages[stage] for stage, _ in items)
            groups[group] = StageGroup(group, first.desc or "", meta, dimensions, members, needs)
    return _in_order(groups)


def ancestors(groups: Mapping[str, StageGroup], names: set[str]) -> set[str]:
    """All groups that `names` need, directly or not."""
    direct = {up for name in names for up in groups[name].upstream}
    return direct | ancestors(groups, direct) if direct else set()


def descendants(groups: Mapping[str, StageGroup], names: set[str]) -> set[str]:
    """All groups that need one of `names`, directly or not."""
    return {name for name in groups if ancestors(groups, {name}) & names}


def _values(definition, key: str) -> dict[str, str]:
    """Dimension -> value of one item, sorted by dimension; empty for a stage without items."""
    if isinstance(definition, ForeachDefinition):
        return {"item": key}
    if isinstance(definition, MatrixDefinition):
        return {name: str(value) for name, value in sorted(definition.normalized_iterable[key].items())}
    return {}


def _in_order(groups: dict[str, StageGroup]) -> dict[str, StageGroup]:
    ordered: dict[str, StageGroup] = {}
    while len(ordered) < len(groups):
        ready = [name for name, group in groups.items() if name not in ordered and set(group.upstream) <= set(ordered)]
        if not ready:
            raise ValueError(f"these stages of dvc.yaml need each other: {', '.join(set(groups) - set(ordered))}")
        ordered |= {name: groups[name] for name in ready}
    return ordered
