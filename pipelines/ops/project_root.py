"""Find the project of a command, and resolve the paths that the user gave.

The project is the nearest one at or above the current folder, never another, in which `remove` and `prune` would do harm.
Commands change to its root, where stages and parameters are; paths given by the user stay relative to the folder they started in.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path

import typer

WRITTEN = (
    "json_file",
    "as_json",
    "html",
    "openlineage",
    "prov",
    "card",
    "out",
    "wav",
)  # options that name a file to write
NAMES = ("model", "tags", "target")  # arguments that may be a file, or the name of something
HELP = {"-h", "--help", "--version"}
stood: Path | None = None  # the folder the command was started in, if that is not the project's root


def project(here: Path) -> Path | None:
    """The root of the project that contains `here`: a folder with .dvc, or with dvc.yaml and params.yaml."""
    return next((at for at in (here, *here.parents) if _root(at)), None)


def _root(at: Path) -> bool:
    return (at / ".dvc").is_dir() or ((at / "dvc.yaml").is_file() and (at / "params.yaml").is_file())


def enter(words: list[str]) -> None:
    """Change to the project's root. Outside a project only help, the version, and `predict` and `generate`, whose model may be a
    folder, are allowed."""
    global stood
    here = Path.cwd()
    root = project(here)
    if root is None and words and words[0] not in ("predict", "generate") and not HELP & set(words):
        print(f"There is no project in {here} or above it: change to a project's folder first.", file=sys.stderr)
        sys.exit(2)
    if root is not None and root != here:
        print(f"(in {root})", file=sys.stderr)
        os.chdir(root)
        stood = here


def meant_from_there(app: typer.Typer) -> None:
    """Resolve paths given to the app's commands relative to the folder the command was started in."""
    for command in app.registered_commands:
        command.callback = _meant(command.callback)
    for group in app.registered_groups:
        meant_from_there(group.typer_instance)


def _meant(command: Callable) -> Callable:
    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        given = inspect.signature(command).bind(*args, **kwargs)
        for name, value in given.arguments.items():
            given.arguments[name] = _one(name, value)
        return command(*given.args, **given.kwargs)

    return wrapped


def _one(name: str, value):
    """One argument, resolved."""
    if isinstance(value, list):
        return [_one(name, each) for each in value]
    if isinstance(value, Path) and str(value) != "-":
        value = stood / value if stood else value
        if name in WRITTEN and (why := unwritable(value)):
            print(f"{value}: {why}", file=sys.stderr)
            raise typer.Exit(2)
    elif isinstance(value, str) and name in NAMES:
        return meant(value)
    return value


def meant(value: str) -> str:
    """An argument that may be a file or a name: a file is resolved relative to the starting folder."""
    file, hash_, key = value.partition("#")
    if not (stood and file and (stood / file).exists()):
        return value
    there = os.path.relpath(stood / file)  # a path outside the project stays absolute
    return (os.path.abspath(stood / file) if there.startswith("..") else there) + hash_ + key


def unwritable(path: Path) -> str:
    """Why no file can be written at `path`, "" if it can. Missing folders are created."""
    if path.is_dir():
        return "that is a folder; give a file name."
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        return f"{above} is not a folder."
    return "" if os.access(path if path.exists() else above, os.W_OK) else "no permission to write there."
