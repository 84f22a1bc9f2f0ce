"""The source of each figure: its asset, data hash and code version from dvc.lock.

A figure has a mark (`Lineage.mark`) that links to the asset's row in the table at the foot of the page. The table also lists
everything upstream of the marked assets, so that a reader can trace a figure to the raw bytes.
"""

import re
from pathlib import Path

from pipelines import recipe
from pipelines.core import paths


class Lineage:
    """Marks for figures, and the table they link to. `stages` is dvc.lock's, as `recipe.locked_stages()` gives it."""

    def __init__(self, stages: dict[str, dict]):
        self.stages = stages
        self.graph = recipe.Graph(stages)
        self.marks: list[dict] = []

    def mark(self, path: Path | str) -> dict:
        """What a figure made from the output at `path` shows: `{"path", "stage", "data", "code", "anchor"}`.

        Where dvc.lock does not know the path (a stage was run by hand, before the first `conservatory run`), stage is None
        and the page says so.
        """
        path = str(path)
        found = recipe.origin(path, self.stages)
        mark = {"path": path, "stage": None, "data": "", "code": "", "anchor": ""}
        if found is not None:
            mark |= {"stage": found["stage"], "data": found["data"], "code": found["code"], "anchor": anchor(path)}
        self.marks.append(mark)
        return mark

    def unknown(self) -> int:
        """How many marks name files that dvc.lock does not know."""
        return sum(not mark["stage"] for mark in self.marks)

    def table(self) -> list[dict]:
        """A row for every output of every stage at or upstream of a mark, in the order of the work.

        Each: `path`, `anchor`, `stage`, `cmd`, `data`, `code`, `params`, `code_files` ((path, hash) pairs), and `made_from`:
        (path, hash, anchor of the row it came from or "") of each dependency that is data.
        """
        rows = []
        for name in self._upstream():
            entry = self.stages[name]
            for out in entry["outs"]:
                if not out["path"].startswith(paths.RECORDS):
                    rows.append(self._row(name, entry, out["path"]))
        return rows

    def records(self) -> list[tuple[str, str]]:
        """(stage, path of its record) of every stage at or upstream of a mark, in the order of the work."""
        outs = [(name, out["path"]) for name in self._upstream() for out in self.stages[name]["outs"]]
        return [(name, path) for name, path in outs if path.startswith(paths.RECORDS)]

    def _row(self, name: str, entry: dict, path: str) -> dict:
        origin = recipe.origin(path, self.stages)
        deps = [(dep["path"], dep.get("md5", "")) for dep in entry.get("deps", [])]
        return {
            "path": path,
            "anchor": anchor(path),
            "stage": name,
            "cmd": recipe.command(entry),
            **{key: origin[key] for key in ("data", "code", "params")},
            "code_files": [dep for dep in deps if recipe.is_code(dep[0])],
            "made_from": [
                (dep, md5, self._anchor_of(dep))
                for dep, md5 in deps
                if not recipe.is_code(dep) and not dep.startswith(paths.RECORDS)
            ],
        }

    def _anchor_of(self, dep: str) -> str:
        outs = self.graph.outputs(dep)
        return anchor(outs[0]) if outs else ""

    def _upstream(self) -> list[str]:
        """The stages of the marks and all before them, each after what it depends on."""
        marked = sorted({mark["path"] for mark in self.marks if mark["stage"]})
        return self.graph.upstream(self.graph.maker[path] for path in marked)


def anchor(path: str) -> str:
    """An HTML id for an output; different paths get different ids."""
    return "from-" + re.sub(r"[^A-Za-z0-9_.]", lambda found: "--" if found[0] == "/" else f"-{ord(found[0]):x}-", path)
