"""Compare stages with the project: which inputs, parameters, commands and outputs are not as in dvc.lock.

Uses: DVC's `Stage`, `Output`, `Dependency` and `ParamsDependency` objects, and `dvc_data.hashfile.build.build`.

Why: `dvc status` hashes the files and parses params.yaml again for each stage, though most stages read the same code and
parameters. Here each path is hashed once (DVC's database of hashes finds unchanged files by time and size) and params.yaml is
parsed once, so that a stage costs milliseconds. No lock is taken: it works during a run.

Written for: dvc 3.67.1, dvc-data 3.18.3

Without it: `dvc status` gives the same answer (`tests/ops/status/test_status.py` compares them) in minutes for
thousands of stages, and not during a run.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines import recipe
from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"


@dataclass(frozen=True)
class Difference:
    """`changed`: why a stage would run. `gone`: the missing files that DVC can restore or make again. As sentences."""

    changed: tuple[str, ...]
    gone: tuple[str, ...]


def stages(repo) -> dict[str, object]:
    """Name -> DVC's object of each stage, from all of its files (dvc.yaml, *.dvc)."""
    fits("dvc", VERSION, "stages may be called up to date or stale wrongly; `dvc status` is right")
    return {getattr(stage, "name", None) or stage.addressing: stage for stage in repo.index.stages}


def named_stages(repo, project: Path, names: Collection[str]) -> dict[str, object]:
    """The same for some stages of dvc.yaml alone. Raises DVC's error for one that is not there."""
    from dvc.dvcfile import load_file

    written = load_file(repo, str(project.absolute() / "dvc.yaml")).stages
    return {name: written[name] for name in names}


def files(repo, stage) -> dict[str, list[dict]]:
    """A stage's inputs and outputs inside the project, in the form of dvc.lock."""
    return {
        kind: [{"path": repo.fs.relpath(file.fs_path, repo.root_dir)} for file in files if file.is_in_repo]
        for kind, files in (("deps", stage.deps), ("outs", stage.outs))
    }


class Comparison:
    """Compares stages with the files of the project. A path that two stages read is hashed once."""

    def __init__(self, stages: Iterable, graph: recipe.Graph):
        self.graph = graph
        self.made = {out.fs_path: out.hash_info for stage in stages for out in stage.outs}
        self.hashes: dict[str, object] = {}
        self.settings: dict[str, dict] = {}

    def difference(self, stage) -> Difference | None:
        """None if the stage has never run."""
        if stage.outs and not any(out.hash_info for out in stage.outs):
            return None
        changed = ["its command changed"] if getattr(stage, "cmd_changed", False) else []
        if stage.always_changed:
            changed.append("it always runs")
        gone = []
        for dep in stage.deps:
            if hasattr(dep, "params"):
                changed += self._params(dep)
            elif (now := self._hash(dep)) is None and self._comes_back(dep):
                gone.append(f"{dep} is missing")
            elif now is None:
                changed.append(f"{dep} is missing")
            elif now != dep.hash_info:
                changed.append(f"{dep} changed" if dep.hash_info else f"{dep} is a new input")
        for out in stage.outs:
            if (now := self._hash(out)) is None:
                cached = out.use_cache and not out.changed_cache()
                gone.append(f"{out} is missing" + ("; DVC's cache has it" if cached else ""))
            elif now != out.hash_info:
                changed.append(f"{out} was changed after the stage ran")
            elif out.use_cache and out.changed_cache():
                changed.append(f"{out} is not in DVC's cache")
        return Difference(tuple(changed), tuple(gone))

    def _comes_back(self, dep) -> bool:
        """Is a missing input an output of another stage, inside one, or a folder around some?"""
        if dep.fs_path in self.made:
            return self.made[dep.fs_path] == dep.hash_info
        return bool(dep.hash_info and self.graph.outputs(dep.repo.fs.relpath(dep.fs_path, dep.repo.root_dir)))

    def _hash(self, file):
        """DVC's hash of a path as it is now; None if there is no file."""
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
        """A sentence for each parameter that is not as in dvc.lock."""
        import dpath
        from dvc.utils.serialize import load_path

        if not dep.exists:
            yield f"{dep} is missing"
            return
        if dep.fs_path not in self.settings:
            self.settings[dep.fs_path] = load_path(dep.fs_path, dep.fs)
        now, locked = self.settings[dep.fs_path], dep.hash_info.value or {}
        for key in dep.params or dict.fromkeys([*now, *locked]):
            try:
                value = dpath.get(now, key, separator=".") if dep.params else now[key]
            except KeyError:
                yield f"{key} was removed from {dep}"
                continue
            if key not in locked:
                yield f"{key} in {dep} is a new input"
            elif (list(value) if isinstance(value, tuple) else value) != locked[key]:
                yield f"{key} in {dep} changed"
