"""The recipe as DVC wrote it down: which stage made a file, from which data, parameters and code.

Standard library and PyYAML only, and DVC where it reads dvc.yaml: `assets/` imports this module, to read the same facts the same
way.
"""

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import yaml

LOCK = Path("dvc.lock")
CODE = ("pipelines/",)
OUTS = ("outs", "metrics", "plots")
"""Under what dvc.yaml lists outputs."""


def resolver(project: Path):
    """DVC's `DataResolver` of a project's dvc.yaml: `resolve()["stages"]` are its stages (cmd, deps, params, outs, desc, meta)
    with the names of params.yaml filled in.

    DVC's index, which makes an object of each dependency of each stage, takes many times as long (benchmarks/graph.py).
    """
    from dvc.dvcfile import load_file  # half a second to import
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        return load_file(repo, str(project.absolute() / "dvc.yaml")).resolver


def paths(entry: dict, *lists: str) -> list[str]:
    """The files under these keys of a resolved stage; one with options is a mapping of its path to them."""
    written = [path for name in lists for path in entry.get(name, ())]
    return [path if isinstance(path, str) else next(iter(path)) for path in written]


def locked_stages() -> dict[str, dict]:
    """Stage name -> its entry in dvc.lock (cmd, deps, params, outs); empty before the first run."""
    return parse_lock(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else {}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """DVC writes YAML 1.2, in which 1e-05 is a number; to PyYAML it would be a word."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def parse_lock(text: str) -> dict[str, dict]:
    """The stages of a dvc.lock. Raises `yaml.YAMLError`."""
    return (yaml.load(text, Loader=_Loader) or {}).get("stages") or {}


def is_code(path: str) -> bool:
    return path.startswith(CODE)


def code_version(entry: dict) -> str:
    """12 hex digits over a stage's command and the hashes of the code it depends on, as locked."""
    code = sorted((dep["path"], dep.get("md5", "")) for dep in entry.get("deps", []) if is_code(dep["path"]))
    return hashlib.sha256(json.dumps([entry["cmd"], code]).encode()).hexdigest()[:12]


def data_version(entry: dict, path: str) -> str:
    """DVC's hash of one output of a stage (md5; a folder's ends in .dir)."""
    return next(out["md5"] for out in entry["outs"] if out["path"] == path)


def origin(path: str, stages: dict[str, dict]) -> dict | None:
    """`{"stage", "data", "code", "params"}` of the output at `path`, or None if no stage made it."""
    for name, entry in stages.items():
        for out in entry.get("outs", []):
            if out["path"] == path:
                params = {key: value for file in entry.get("params", {}).values() for key, value in file.items()}
                return {"stage": name, "data": out["md5"], "code": code_version(entry), "params": params}
    return None


class Graph:
    """Which stage made what from what. `stages` as `locked_stages()` gives them."""

    def __init__(self, stages: dict[str, dict]):
        self.stages = stages
        self.maker = {out["path"]: name for name, entry in stages.items() for out in entry.get("outs", [])}
        self._sorted = sorted(self.maker)

    def outputs(self, path: str) -> list[str]:
        """The outputs that are read where `path` is: itself, the one it lies in, or those that lie in it."""
        if path in self.maker:
            return [path]
        around = [str(parent) for parent in PurePosixPath(path).parents if str(parent) in self.maker]
        first = bisect_left(self._sorted, path + "/")
        last = bisect_left(self._sorted, path + "0")  # what follows the slash
        return around + self._sorted[first:last]

    def inputs(self, name: str) -> list[dict]:
        """The dependencies of a stage (path, md5, ...) that are data, not code."""
        return [dep for dep in self.stages[name].get("deps", []) if not is_code(dep["path"])]

    def needs(self, name: str) -> list[str]:
        """The stages whose outputs a stage reads, each once."""
        found = (self.maker[out] for dep in self.inputs(name) for out in self.outputs(dep["path"]))
        return [stage for stage in dict.fromkeys(found) if stage != name]

    def upstream(self, names: Iterable[str]) -> list[str]:
        """These stages and all before them, each after what it needs."""
        done: dict[str, None] = {}
        waiting = [(name, False) for name in reversed(list(names))]
        while waiting:
            name, ready = waiting.pop()
            if ready:
                done[name] = None
            elif name not in done:
                waiting.append((name, True))
                waiting += [(other, False) for other in reversed(self.needs(name)) if other not in done]
        return list(done)

    def downstream(self, names: Iterable[str]) -> list[str]:
        """The stages after these, and these, each after what it needs."""
        hit = set(names)
        for name in (order := self.upstream(self.stages)):
            if name not in hit and not hit.isdisjoint(self.needs(name)):
                hit.add(name)
        return [name for name in order if name in hit]
