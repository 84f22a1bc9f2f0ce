"""Read dvc.lock: which stage made a file, from which data, parameters and code.

Standard library and YAML only. `assets/` imports this module too, so that both read dvc.lock in the same way.
"""

import hashlib
import json
import os
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import ClassVar

import yaml
from ruamel.yaml.resolver import implicit_resolvers

LOCK = Path("dvc.lock")
CODE = ("pipelines/",)
HEAD = "schema: '2.0'\nstages:\n"
"""How dvc.lock begins."""
ENTRY = re.compile(r"^  (?=\S)", re.MULTILINE)
"""The line on which the entry of a stage begins in it."""
WITHOUT = {".git", ".dvc", ".cache", ".dagster", ".venv"}
"""Folders in which no .dvc file is anybody's, and which change with every run."""
OUTS = ("outs", "metrics", "plots")
"""Under what dvc.yaml lists outputs."""


def paths(entry: dict, *lists: str) -> list[str]:
    """The files under these keys of a resolved stage; one with options is a mapping of its path to them."""
    written = [path for name in lists for path in entry.get(name, ())]
    return [path if isinstance(path, str) else next(iter(path)) for path in written]


def dvc_files(tree: Path) -> Iterator[Path]:
    """The .dvc files of a project, in order."""
    for folder, inside, names in os.walk(tree):
        inside[:] = sorted(set(inside) - WITHOUT)
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".dvc"))


def locked_stages(project: Path = Path()) -> dict[str, dict]:
    """Stage name -> its entry in dvc.lock (cmd, deps, params, outs); empty before the first run."""
    path = project / LOCK
    return parse_lock(path.read_text(encoding="utf-8")) if path.exists() else {}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Words are what YAML 1.2 says, which DVC writes: 1e-05 is a number, and `no` is not false."""

    yaml_implicit_resolvers: ClassVar[dict] = {}


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions:
        _Loader.add_implicit_resolver(_tag, _pattern, _first)


def parse_lock(text: str) -> dict[str, dict]:
    """The stages of a dvc.lock. Raises `yaml.YAMLError`. The entries are shared with later calls: they are only for reading.

    An entry that was read before is not parsed again: of thousands of stages a run changes a few, and it looks after each.
    """
    if found := doubled(text):
        raise yaml.YAMLError(f"dvc.lock has two entries of {', '.join(found)}, probably from a merge: delete one")
    try:
        return {name: entry for part in apart(text) for name, entry in _stages(part).items()}
    except yaml.YAMLError:  # an alias may point into another part
        return _stages.__wrapped__(text)


@lru_cache(maxsize=1 << 14)
def _stages(text: str) -> dict[str, dict]:
    document = yaml.load(text, Loader=_Loader) or {}
    stages = (document.get("stages") or {}) if isinstance(document, dict) else None
    if not isinstance(stages, dict) or not all(isinstance(entry, dict) for entry in stages.values()):
        raise yaml.YAMLError("dvc.lock contains no entries of stages")
    return stages


def doubled(text: str) -> list[str]:
    """The stages of which a dvc.lock's text has more than one entry. DVC refuses it."""
    names = Counter(part[len(HEAD) :].partition(":\n")[0] for part in apart(text))
    return [name.strip() for name, count in names.items() if count > 1]


def apart(text: str) -> list[str]:
    """A dvc.lock's text as one document for each entry; in one piece where it is not laid out as DVC writes it."""
    if not text.startswith(HEAD) or not text.endswith("\n") or re.search(r"^\S", text[len(HEAD) :], re.MULTILINE):
        return [text]
    starts = [match.start() for match in ENTRY.finditer(text, len(HEAD))]
    return [HEAD + text[start:end] for start, end in pairwise([*starts, len(text)])] or [text]


def locked_stage(text: str, name: str) -> dict | None:
    """One stage's entry in a dvc.lock's `text`, found without parsing the others; None where there is none, or it is damaged."""
    for key in (f"\n  {name}:\n", f"\n  '{name}':\n", f'\n  "{name}":\n'):
        begin = text.find(key, len(HEAD) - 1) + 1
        if text.startswith(HEAD) and begin:
            after = ENTRY.search(text, begin + len(key) - 1)
            text = HEAD + text[begin : after.start() if after else None]
            break
    try:
        return parse_lock(text).get(name)
    except yaml.YAMLError:
        return None


def digest(entry: Mapping) -> str:
    """16 hex digits of a stage's entry: command, dependencies, parameters and outputs with their hashes."""
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]


def is_code(path: str) -> bool:
    return path.startswith(CODE)


def command(entry: Mapping) -> str:
    """A stage's command as one line of shell; of several, each runs if the one before succeeded."""
    return entry["cmd"] if isinstance(entry["cmd"], str) else " && ".join(entry["cmd"])


def code_version(entry: dict) -> str:
    """12 hex digits over a stage's command and the hashes of the code it depends on, as locked."""
    code = sorted((dep["path"], dep.get("md5", "")) for dep in entry.get("deps", []) if is_code(dep["path"]))
    return hashlib.sha256(json.dumps([entry["cmd"], code]).encode()).hexdigest()[:12]


def data_version(entry: dict, path: str) -> str:
    """DVC's hash of one output of a stage (md5; a folder's ends in .dir)."""
    return next(out["md5"] for out in entry["outs"] if out["path"] == path)


def folder_hash(files: Mapping[str, str]) -> str:
    """DVC's hash of a folder, from the md5 of each file by its path in it."""
    rows = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return hashlib.md5(json.dumps(rows, sort_keys=True).encode()).hexdigest() + ".dir"


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

    def made_from(self, path: str, origin: str, listing: Callable[[str], Mapping[str, str]]) -> bool:
        """Was the output `path` made from the output `origin` as both stand here? Each stage between the two must have read what
        the entries of its makers say they made: where only some stages ran again, the others are of what was before.

        listing: a folder's hash -> path in it -> md5, empty where that is not known; what cannot be checked is not true.
        """
        if path not in self.maker or origin not in self.maker:
            return False
        first, last = self.maker[origin], self.maker[path]
        between = set(self.downstream([first])) & set(self.upstream([last]))
        return last in between and all(
            self._made_hash(dep["path"], listing) == dep.get("md5")
            for name in between - {first}
            for dep in self.inputs(name)
            if any(self.maker[out] in between - {name} for out in self.outputs(dep["path"]))
        )

    def _made_hash(self, path: str, listing: Callable[[str], Mapping[str, str]]) -> str | None:
        """The hash that `path` has by the entries of those who made it: an output, what lies in one, or the folder of several."""
        if path in self.maker:
            return data_version(self.stages[self.maker[path]], path)
        files: dict[str, str] = {}  # by project path
        for out in self.outputs(path):
            md5 = data_version(self.stages[self.maker[out]], out)
            inside = listing(md5) if md5.endswith(".dir") else {}
            if md5.endswith(".dir") and not inside:
                return None
            files |= {f"{out}/{name}": each for name, each in inside.items()} or {out: md5}
        if path in files:
            return files[path]
        below = {name[len(path) + 1 :]: md5 for name, md5 in files.items() if name.startswith(path + "/")}
        return folder_hash(below) if below else None
