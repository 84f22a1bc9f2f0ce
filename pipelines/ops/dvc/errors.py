"""Explain DVC errors that the recipe did not cause: broken settings (.dvc/config, .dvc/config.local) and git problems."""

from pathlib import Path

from pipelines.ops.patches import config

LEVELS = {"system": " --system", "global": " --global", "repo": "", "local": " --local"}
"""DVC's files of settings, each over those before it, and the option of `dvc remote` that means it."""


def check(project: Path = Path()) -> None:
    """Raise `dvc.config.ConfigError` or `OSError` where DVC cannot go by its settings: asked before anything is begun."""
    config.read(project)


def sentence(error: Exception, project: Path = Path()) -> str:
    """What is wrong and what to do, of an error that came of DVC's settings in `project` or of a lack of git; "" of any other."""
    if config.is_git_error(error):
        return f"DVC wants the project to be in git: {error}. Make it so with git init (or dvc init --no-scm)."
    of_file = isinstance(error, OSError) and Path(str(error.filename)).parts[-2:] in (
        (".dvc", "config"),
        (".dvc", "config.local"),
    )
    if of_file or config.is_config_error(error):
        return _fault(project) or f"DVC cannot go by its settings in .dvc/config and config.local: {_words(error)}."
    return ""


def _fault(project: Path) -> str:
    """What is wrong with DVC's settings, and in which file; "" where DVC takes them all."""
    from dvc.config import ConfigError

    files = config.files(project)
    settings = {}
    for level, path in files.items():
        try:
            settings[level] = config.load(path)
        except FileNotFoundError:
            continue
        except (ConfigError, OSError) as error:
            return f"DVC cannot read its settings in {path}: {_words(error)}. {_mend(level)}"
    urls = {name: remote.get("url") for name, remote in config.merged(list(settings.values()))["remote"].items()}
    for level, found in settings.items():
        if lacking := next((name for name in found["remote"] if not urls[name]), None):
            return _without_url(lacking, files[level], LEVELS[level])
    for level, found in settings.items():
        remotes = {name: {**remote, "url": urls[name]} for name, remote in found["remote"].items()}
        try:
            config.validate({**found, "remote": remotes})
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
