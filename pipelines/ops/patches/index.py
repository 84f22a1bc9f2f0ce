"""List the outputs in dvc.lock and in the .dvc files of the working tree.

Uses: `repo.index.outs` and of each `use_cache`, `hash_info`, `is_in_repo`, `fs_path`.

Why: DVC's documented API lists files of the tree, not the outputs and their hashes.

Written for: dvc 3.67.1

Without it: `conservatory push` and `pull` do not know which files the working tree needs.
"""

from pathlib import Path

from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"


def cached_outputs(repo) -> dict[str, str]:
    """Path in the project -> hash of each output that the cache keeps. Raises `DvcException` if the recipe cannot be read."""
    fits("dvc", VERSION, "outputs may be missing among what is pushed and pulled")
    outs = [out for out in repo.index.outs if out.use_cache and out.hash_info and out.is_in_repo]
    return {Path(out.fs_path).relative_to(repo.root_dir).as_posix(): out.hash_info.value for out in outs}
