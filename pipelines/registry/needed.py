"""Which of DVC's files are needed: by this tree, and by every registered version, whatever its stage. Hash -> path."""

from pathlib import Path

from pipelines.registry import git, history, versions
from pipelines.registry.errors import RegistryError


def of_tree(repo) -> dict[str, str]:
    """What dvc.lock and the .dvc files of the working tree name. `RegistryError` where DVC cannot read its recipe."""
    from dvc.exceptions import DvcException

    try:
        outs = [out for out in repo.index.outs if out.use_cache and out.hash_info and out.is_in_repo]
    except DvcException as error:
        raise RegistryError(f"DVC cannot read the recipe: {error}") from error
    return {out.hash_info.value: Path(out.fs_path).relative_to(repo.root_dir).as_posix() for out in outs}


def of_versions(project: Path) -> dict[str, str]:
    """What the models, predictions and embeddings of every version were made of, themselves included; not what git holds."""
    found: dict[str, str] = {}
    for name in history.names(project):
        for version in history.stages(history.read(project, name)):
            record = versions.load(project, name, version)
            listed = git.run(project, "ls-tree", "-r", "--name-only", "-z", record["commit"], check=False).stdout
            tracked = set(listed.split("\0"))
            for path, md5 in record["hashes"].items():
                if md5 and path not in tracked:
                    found.setdefault(md5, path)
    return found
