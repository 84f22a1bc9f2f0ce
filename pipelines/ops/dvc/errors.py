"""Explain DVC errors that the recipe did not cause: broken settings (.dvc/config, .dvc/config.local) and git problems."""

from pathlib import Path

from pipelines.ops.patches import config

LEVELS = {"system": " --system", "global": " --global", "repo": "", "local": " --local"}
"""Level of DVC's configuration, later ones override earlier ones -> the option of `dvc remote` for it."""


def check(project: Path = Path()) -> None:
    """Raise `dvc.config.ConfigError` or `OSError` if DVC's configuration is invalid. Called before a command does anything."""
    config.read(project)


def sentence(error: Exception, project: Path = Path()) -> str:
    """What is wrong and what to do, for an error caused by DVC's configuration in `project` or by missing git; "" for any
    other."""
    if config.is_git_error(error):
        return f"DVC expects the project to be in git: {error}. Run git init (or dvc init --no-scm)."
    of_file = isinstance(error, OSError) and Path(str(error.filename)).parts[-2:] in (
        (".dvc", "config"),
        (".dvc", "config.local"),
    )
    if of_file or config.is_config_error(error):
        return _fault(project) or f"DVC's configuration in .dvc/config and config.local is invalid: {_words(error)}."
    return ""


def _fault(project: Path) -> str:
    """What is wrong with DVC's configuration, and in which file; "" if it is valid."""
    from dvc.config import ConfigError

    files = config.files(project)
    settings = {}
    for level, path in files.items():
        try:
            settings[level] = config.load(path)
        except FileNotFoundError:
            continue
        except (ConfigError, OSError) as error:
            return f"DVC cannot read its configuration in {path}: {_words(error)}. {_repair(level)}"
    urls = {name: remote.get("url") for name, remote in config.merged(list(settings.values()))["remote"].items()}
    for level, found in settings.items():
        if lacking := next((name for name in found["remote"] if not urls[name]), None):
            return _without_url(lacking, files[level], LEVELS[level])
    for level, found in settings.items():
        remotes = {name: {**remote, "url": urls[name]} for name, remote in found["remote"].items()}
        try:
            config.validate({**found, "remote": remotes})
        except ConfigError as error:
            return f"DVC's configuration in {files[level]} is invalid: {_words(error)}. {_repair(level)}"
    return ""


def _without_url(name: str, path: Path, level: str) -> str:
    elsewhere = ", and neither does the checked-out .dvc/config" if level else ""
    return (
        f"{path} configures DVC's remote {name!r} without its url{elsewhere}. Check out a commit whose .dvc/config has the url, "
        f"or add it: dvc remote modify{level} {name} url URL. Or remove the remote: dvc remote remove{level} {name}"
    )


def _repair(level: str) -> str:
    if level == "repo":
        return "Correct it, or restore the committed file: git checkout HEAD -- .dvc/config"
    return "Correct it, or move it away: it is in no commit"


def _words(error: Exception) -> str:
    words = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return " ".join(words.removeprefix("config file error: ").split())
