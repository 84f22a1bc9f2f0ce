"""The recipe as DVC wrote it down: which stage made a file, from which data, parameters and code.

Standard library and PyYAML only: `assets/` imports this module, to read the same facts the same way.
"""

import hashlib
import json
from pathlib import Path

import yaml

LOCK = Path("dvc.lock")
CODE = ("pipelines/",)


def locked_stages() -> dict[str, dict]:
    """Stage name -> its entry in dvc.lock (cmd, deps, params, outs); empty before the first run."""
    if not LOCK.exists():
        return {}
    return yaml.load(LOCK.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)).get(
        "stages", {}
    )


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
