"""The stages of dvc.yaml with all names filled in, without building DVC's index.

Uses: `dvc.dvcfile.load_file(...).resolver`, its `resolve`, `get_keys` and `definitions`, and the classes of `dvc.parsing`.

Why: DVC's index makes an object of every dependency of every stage, which takes many times as long as the resolver alone
(benchmarks/graph.py): the graph in Dagster is read at each start and each reload.

Written for: dvc 3.67.1

Without it: Dagster has no graph and `conservatory retrain` does not start. DVC's index (`repo.index.stages`) has the same stages,
and takes minutes for thousands of them.
"""

from pathlib import Path

from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"


def resolver(project: Path):
    """DVC's `DataResolver` of a project's dvc.yaml: `stages(project)` gives what it resolves."""
    from dvc.dvcfile import load_file  # half a second to import
    from dvc.repo import Repo

    fits("dvc", VERSION, "dvc.yaml may be read wrongly")

    with Repo(str(project)) as repo:
        return load_file(repo, str(project.absolute() / "dvc.yaml")).resolver


def stages(project: Path) -> dict[str, dict]:
    """Stage -> its entry in dvc.yaml (cmd, deps, params, outs, desc, meta) with names from params.yaml filled in."""
    return resolver(project).resolve()["stages"]


def names(project: Path) -> set[str]:
    """The stages of dvc.yaml, items included, found without filling in their entries."""
    return set(resolver(project).get_keys())


def item(definition, key: str) -> dict[str, str]:
    """Variable -> value of one item of a `foreach` or `matrix` stage, sorted by variable; empty for any other stage.

    definition: of `resolver(project).definitions`; key: what follows the @ in the item's name.
    """
    from dvc.parsing import ForeachDefinition, MatrixDefinition

    if isinstance(definition, ForeachDefinition):
        return {"item": key}
    if isinstance(definition, MatrixDefinition):
        return {name: str(value) for name, value in sorted(definition.normalized_iterable[key].items())}
    return {}
