"""DVC's configuration: the merged values, and each of the four files it is merged from.

Uses: `dvc.config.Config` (as a mapping; `get_dir`, `SYSTEM_LEVELS`, `load_file`, `validate`, `edit`) and `dvc.config.merge`.

Why: DVC reports an error in its configuration without the file it is in. A retraining's worktree needs the cache and remotes of
the project in its own config.local, which `dvc config` cannot write while the configuration is incomplete.

Written for: dvc 3.67.1

Without it: the cache directory and the remotes that `.dvc/config` and `.dvc/config.local` name are not found.
"""

import copy
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"


def read(project: Path) -> dict:
    """The merged configuration of the repository in `project`. Raises `dvc.config.ConfigError` or `OSError`."""
    from dvc.config import Config

    fits("dvc", VERSION, "DVC's configuration may be read wrongly")
    return Config(os.path.abspath(project / ".dvc"))


def files(project: Path) -> dict[str, Path]:
    """Level (system, global, repo, local) -> its file; a later one overrides those before it."""
    from dvc.config import Config

    found = {level: Path(Config.get_dir(level), "config") for level in Config.SYSTEM_LEVELS}
    return found | {"repo": project / ".dvc/config", "local": project / ".dvc/config.local"}


def load(path: Path) -> dict:
    """One file of configuration. Raises `FileNotFoundError`, another `OSError` or `dvc.config.ConfigError`."""
    from dvc.config import Config

    return Config.load_file(path)


def merged(settings: list[dict]) -> dict:
    """Several files of configuration as one, with an entry `remote`."""
    from dvc.config import merge

    together = {"remote": {}}
    for each in settings:
        merge(together, copy.deepcopy(each))
    return together


def validate(settings: dict) -> None:
    """Raise `dvc.config.ConfigError` for keys or values that DVC does not accept."""
    from dvc.config import Config

    Config.validate(settings)


def editing_local(project: Path) -> AbstractContextManager[dict]:
    """Edit config.local of the repository in `project`; it need not be valid before."""
    from dvc.config import Config

    return Config(str((project / ".dvc").absolute()), validate=False).edit("local")


def is_config_error(error: Exception) -> bool:
    """Is it DVC's error for its configuration? Imports nothing: if DVC is not imported, it has raised no error."""
    module = sys.modules.get("dvc.config")
    return bool(module) and isinstance(error, module.ConfigError)


def is_git_error(error: Exception) -> bool:
    """Is it DVC's error for a project that is not in git, or for git itself?"""
    module = sys.modules.get("dvc.scm")
    return bool(module) and isinstance(error, module.SCMError)


def tables_folder() -> Path:
    """The folder of DVC's own SQLite tables, outside the project."""
    from dvc.dirs import site_cache_dir

    return Path(site_cache_dir())
