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
    """The files that dvc.lock and the .dvc files of the working tree name. `RegistryError` if DVC cannot read dvc.yaml."""
    from dvc.exceptions import DvcException

    try:
        return {md5: path for path, md5 in index.cached_outputs(repo).items()}
    except DvcException as error:
        raise RegistryError(f"DVC cannot read dvc.yaml: {error}") from error


def of_versions(project: Path) -> dict[str, str]:
    """The files of every version that was not dropped, and of the data it was made from."""
    found: dict[str, str] = {}
    for record, _ in versions.undropped(project):
        for path, md5 in of_version(record).items():
            found.setdefault(md5, path)
    return found


def of_version(record: dict) -> dict[str, str]:
    """Path -> hash of the files of a version and of the data it was made from. The version's commit is not needed: a clone lacks
    the branches of retrainings."""
    return {path: md5 for path, md5 in record["hashes"].items() if md5 and path.startswith(OUTPUTS)}


def purged(project: Path) -> dict[str, str]:
    """Hash -> path of the files that were deleted because they contain a withdrawn clip; they are neither pushed nor pulled. If
    an older commit is checked out, files purged since count too, or a pull would bring them back. `RegistryError` if the file
    here cannot be read."""
    path = project / PURGED
    way_out = f"repair it, or restore it from git: git checkout HEAD -- {PURGED}"
    here = json_files.read(path, Schema({str: str}), way_out) if path.exists() else {}
    return _purged_since(project) | here


def let_in(project: Path, repo) -> dict[str, str]:
    """The files that this tree names, if purged ones among them are legitimate: the run that made this dvc.lock knew of all clips
    that are withdrawn now, so a file it names contains only clips that were admitted again. Else empty, as for an older
    commit."""
    if _purged_since(project):
        return {}
    now = set(load_params(project / params.PARAMS).get("withdrawn") or {})
    for entry in recipe.locked_stages(project).values():
        for values in entry.get("params", {}).values():
            if not now <= set(values.get("withdrawn", now) or {}):
                return {}
    return of_tree(repo)


def _purged_since(project: Path) -> dict[str, str]:
    """The files listed by the newest commit on any branch; empty if the checked-out commit contains that one."""
    with contextlib.suppress(ValueError, TypeError, AttributeError, RegistryError):  # RegistryError: there is no git
        newest = git.run(
            project, "log", "--all", "-1", "--format=%H", "--", PURGED.as_posix(), check=False
        ).stdout.strip()
        if not newest or not git.run(project, "merge-base", "--is-ancestor", newest, "HEAD", check=False).returncode:
            return {}
        return {str(md5): str(name) for md5, name in json.loads(git.show(project, newest, PURGED.as_posix())).items()}
    return {}
