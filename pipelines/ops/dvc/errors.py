"""Explain DVC errors that the recipe did not cause: broken settings (.dvc/config, .dvc/config.local) and git problems."""

import copy
import os
import sys
from pathlib import Path

LEVELS = {"system": " --system", "global": " --global", "repo": "", "local": " --local"}
"""DVC's files of settings, each over those before it, and the option of `dvc remote` that means it."""


def check(project: Path = Path()) -> None:
    """Raise `dvc.config.ConfigError` or `OSError` where DVC cannot go by its settings: asked before anything is begun."""
    from dvc.config import Config

    Config(os.path.abspath(project / ".dvc"))


def sentence(error: Exception, project: Path = Path()) -> str:
    """What is wrong and what to do, of an error that came of DVC's settings in `project` or of a lack of git; "" of any other."""
    # where DVC was not asked, it has not complained
    scm, config = sys.modules.get("dvc.scm"), sys.modules.get("dvc.config")
    if scm and isinstance(error, scm.SCMError):
        return f"DVC wants the project to be in git: {error}. Make it so with git init (or dvc init --no-scm)."
    of_file = isinstance(error, OSError) and Path(str(error.filename)).parts[-2:] in (
        (".dvc", "config"),
        (".dvc", "config.local"),
    )
    if config and (of_file or isinstance(error, config.ConfigError)):
        return _fault(project) or f"DVC cannot go by its settings in .dvc/config and config.local: {_words(error)}."
    return ""


def _fault(project: Path) -> str:
    """What is wrong with DVC's settings, and in which file; "" where DVC takes them all."""
    from dvc.config import Config, ConfigError, merge

    files = {level: Path(Config.get_dir(level), "config") for level in Config.SYSTEM_LEVELS}
    files |= {"repo": project / ".dvc/config", "local": project / ".dvc/config.local"}
    settings, together = {}, {"remote": {}}
    for level, path in files.items():
        try:
            settings[level] = Config.load_file(path)
        except FileNotFoundError:
            continue
        except (ConfigError, OSError) as error:
            return f"DVC cannot read its settings in {path}: {_words(error)}. {_mend(level)}"
        merge(together, copy.deepcopy(settings[level]))
    urls = {name: remote.get("url") for name, remote in together["remote"].items()}
    for level, found in settings.items():
        if lacking := next((name for name in found["remote"] if not urls[name]), None):
            return _without_url(lacking, files[level], LEVELS[level])
    for level, found in settings.items():
        remotes = {name: {**remote, "url": urls[name]} for name, remote in found["remote"].items()}
        try:
            Config.validate({**found, "remote": remotes})
        except ConfigError as error:
            return f"DVC cannot go by its settings in {files[level]}: {_words(error)}. {_mend(level)}"
    return ""


def _without_url(name: str, path: Path, level: str) -> str:
    elsewhere = ", nor does .dvc/config as it is checked out" if level else ""
    return (
        f"{path} sets up DVC's remote {name!r} and does not say where it is (url){elsewhere}. Check out a commit whose "
        f".dvc/config does, or say it there: dvc remote modify{level} {name} url URL. Or take the remote away: "
        f"dvc remote remove{level} {name}"
    )


def _mend(level: str) -> str:
    if level == "repo":
        return "Mend it, or take the committed one: git checkout HEAD -- .dvc/config"
    return "Mend it, or move it away: no commit has it"


def _words(error: Exception) -> str:
    words = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return " ".join(words.removeprefix("config file error: ").split())
