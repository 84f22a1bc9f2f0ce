"""A profile is the demo with other parameters, `profiles/<name>.yaml`: smaller, for a class.

It runs in a git worktree, `.cache/profiles/<name>`, of the commit that is checked out. So the project's params.yaml, data/,
models/ and reports/ stay as they are. Both share DVC's cache and the cache of clips.
"""

import os
import shutil
import sys
from pathlib import Path

import yaml

from pipelines.core import params
from pipelines.ops import run
from pipelines.ops.registry import git, worktree
from pipelines.ops.registry.errors import RegistryError

FOLDER = Path("profiles")
TREES = Path(".cache/profiles")


def names(project: Path = Path()) -> list[str]:
    """The profiles there are."""
    return sorted(path.stem for path in (project / FOLDER).glob("*.yaml"))


def start(name: str, jobs: int = 1) -> None:
    """Make or refresh the profile's worktree, and become `conservatory run --jobs JOBS` in it: does not return.

    Raises `RegistryError` outside git, and where the profile names what the committed params.yaml does not have.
    """
    project = Path().absolute()
    path = tree(project, name)
    environment = {
        "CONSERVATORY_CACHE": str(project / ".cache/clips"),
        **run.environment(),
        "DAGSTER_HOME": str(path / ".dagster"),
    }
    print(f"Profile {name}, in {path}: params.yaml and your results stay as they are.", flush=True)
    os.chdir(path)
    os.execve(sys.executable, [sys.executable, "-m", "pipelines.cli", "run", "--jobs", str(jobs)], environment)


def tree(project: Path, name: str) -> Path:
    """The profile's worktree at the commit that is checked out, its params.yaml with the profile's values."""
    commit, path = git.commit_id(project, "HEAD"), project / TREES / name
    if not path.exists():
        git.run(project, "worktree", "prune")  # of a tree that somebody deleted
        git.run(project, "worktree", "add", "--quiet", "--detach", str(path), commit)
    elif git.commit_id(path, "HEAD") != commit:
        git.run(path, "checkout", "--quiet", "--force", "--detach", commit)
    else:
        git.run(path, "checkout", "--quiet", "--", str(params.PARAMS))
    worktree.share(project, path)
    _share_compiled(project, path)
    changes = yaml.safe_load((project / FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    with params.editing(path / params.PARAMS) as document:
        for dataset in set(document["datasets"]) - set(changes.get("datasets", document["datasets"])):
            del document["datasets"][dataset]
        _change(document, changes, f"{FOLDER}/{name}.yaml")
    return path


def _share_compiled(project: Path, path: Path) -> None:
    """What numba compiled at installation counts for a file of the same content and time: the first stage would wait for it."""
    for compiled in (project / "pipelines").rglob("__pycache__/*.nb[ic]"):
        source = compiled.parents[1] / f"{compiled.name.partition('.')[0]}.py"
        copy = path / source.relative_to(project)
        if source.exists() and copy.exists() and source.read_bytes() == copy.read_bytes():
            os.utime(copy, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))
            (copy.parent / "__pycache__").mkdir(exist_ok=True)
            shutil.copy(compiled, copy.parent / "__pycache__")


def _change(table: dict, changes: dict, where: str) -> None:
    for key, value in changes.items():
        if key not in table:
            raise RegistryError(f"{where} has {key!r}, and the committed params.yaml has not")
        if value is None:
            del table[key]
        elif isinstance(value, dict):
            _change(table[key], value, f"{where}: {key}")
        else:
            table[key] = value
