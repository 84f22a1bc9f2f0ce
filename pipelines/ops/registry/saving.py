"""Commit the registry after checking that every file of it can be read."""

from pathlib import Path

from pipelines.ops.registrations import FOLDER
from pipelines.ops.registry import cache_references, git, history, versions
from pipelines.ops.registry.errors import RegistryError


def save(project: Path, message: str, say=print) -> None:
    """Commit the registry, and only it. If git cannot commit now, the files stay changed and a message says so.

    `RegistryError` if a file of it cannot be read: `git checkout HEAD` must restore good files.
    """
    try:
        for name in history.names(project):
            for version in history.stages(history.read(project, name)):
                versions.load(project, name, version)
        cache_references.purged(project)
    except RegistryError as error:
        raise RegistryError(f"{FOLDER}/ was not committed, because it cannot be read: {error}") from error
    if why := git.commit_only(project, FOLDER, message):
        say(f"{FOLDER}/ is written but not committed ({why}): git add {FOLDER} && git commit")
