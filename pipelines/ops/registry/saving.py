"""Commit the registry after checking that every file of it can be read."""

from pathlib import Path

from pipelines.ops.registrations import FOLDER
from pipelines.ops.registry import cache_references, git, history, versions
from pipelines.ops.registry.errors import RegistryError


def save(project: Path, message: str, say=print) -> None:
    """Commit the registry, and only it. Where git cannot now, the files stay changed and the user is told.

    `RegistryError` where a file of it cannot be read: committed, that would be what `git checkout HEAD` brings back.
    """
    try:
        for name in history.names(project):
            for version in history.stages(history.read(project, name)):
                versions.load(project, name, version)
        cache_references.purged(project)
    except RegistryError as error:
        raise RegistryError(f"{FOLDER}/ is not committed, for it cannot be read: {error}") from error
    if why := git.commit_only(project, FOLDER, message):
        say(f"{FOLDER}/ is written but not committed ({why}): git add {FOLDER} && git commit")
