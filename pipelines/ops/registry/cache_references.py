"""The files of the DVC cache that this tree or a registered version (unless dropped) needs: hash -> path."""

import contextlib
import json
from pathlib import Path

from voluptuous import Schema

from pipelines import recipe
from pipelines.core import params
from pipelines.ops.patches import index
from pipelines.ops.registry import git, json_files, versions
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.settings import load_params

OUTPUTS = ("data/", "models/")
PURGED = Path("registry/purged.json")


def of_tree(repo) -> dict[str, str]:
    """What dvc.lock and the .dvc files of the working tree name. `RegistryError` where DVC cannot read its recipe."""
    from dvc.exceptions import DvcException

    try:
        return {md5: path for path, md5 in index.cached_outputs(repo).items()}
    except DvcException as error:
        raise RegistryError(f"DVC cannot read the recipe: {error}") from error


def of_versions(project: Path) -> dict[str, str]:
    """What every version was made of, and itself; but the dropped."""
    found: dict[str, str] = {}
    for record, _ in versions.undropped(project):
        for path, md5 in of_version(record).items():
            found.setdefault(md5, path)
    return found


def of_version(record: dict) -> dict[str, str]:
    """Path -> hash of what a version was made of, and of itself, as far as DVC keeps it: code is git's. The version's commit need
    not be at hand: a clone has no branches of retrainings."""
    return {path: md5 for path, md5 in record["hashes"].items() if md5 and path.startswith(OUTPUTS)}


def purged(project: Path) -> dict[str, str]:
    """Hash -> path of what was taken away because a clip in it was withdrawn: nobody is to be asked for it. Where an older commit
    is checked out, what was purged since counts too, or its bytes would come back with a pull. `RegistryError` where the file
    here cannot be read."""
    path = project / PURGED
    way_out = f"mend it, or take it from git: git checkout HEAD -- {PURGED}"
    here = json_files.read(path, Schema({str: str}), way_out) if path.exists() else {}
    return _purged_since(project) | here


def let_in(project: Path, repo) -> dict[str, str]:
    """What this tree names, where that may hold what was purged: a withdrawn clip was let in again since, and the run that made
    this dvc.lock knew of all that is withdrawn now. Empty where that is not so, as of an older commit."""
    if _purged_since(project):
        return {}
    now = set(load_params(project / params.PARAMS).get("withdrawn") or {})
    for entry in recipe.locked_stages(project).values():
        for values in entry.get("params", {}).values():
            if not now <= set(values.get("withdrawn", now) or {}):
                return {}
    return of_tree(repo)


def _purged_since(project: Path) -> dict[str, str]:
    """The same as the newest commit on any branch says it, unless what is checked out holds that commit: then the file does."""
    with contextlib.suppress(ValueError, TypeError, AttributeError, RegistryError):  # the last: there is no git
        newest = git.run(
            project, "log", "--all", "-1", "--format=%H", "--", PURGED.as_posix(), check=False
        ).stdout.strip()
        if not newest or not git.run(project, "merge-base", "--is-ancestor", newest, "HEAD", check=False).returncode:
            return {}
        return {str(md5): str(name) for md5, name in json.loads(git.show(project, newest, PURGED.as_posix())).items()}
    return {}
