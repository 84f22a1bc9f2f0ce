"""Find the project of a command, and resolve the paths that the user gave.

The project is the one the user stands in, the nearest above: never another, where `remove` and `prune` would do harm. Stages and
parameters are found from its root, so a command goes there first, and what the user named is then meant from where they stood.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path

import typer

WRITTEN = ("json_file", "as_json", "html", "openlineage", "prov", "card")  # options that name a file to write
NAMES = ("model", "tags", "target")  # arguments that may be a file, or the name of something
stood: Path | None = None  # where the user stood, if that is not the project's root


def project(here: Path) -> Path | None:
    """The root of the project that `here` is in: where DVC keeps its own, or the recipe stands with its parameters."""
    return next((at for at in (here, *here.parents) if _root(at)), None)


def _root(at: Path) -> bool:
    return (at / ".dvc").is_dir() or ((at / "dvc.yaml").is_file() and (at / "params.yaml").is_file())


def enter(words: list[str]) -> None:
    """Go to the project's root. Outside of any only help is given and `predict` works, whose model may be a folder anywhere."""
    global stood
    here = Path.cwd()
    root = project(here)
    if root is None and words and words[0] != "predict" and "--help" not in words:
        print(f"There is no project in {here} nor above it: go to a project's folder, or below one.", file=sys.stderr)
        sys.exit(2)
    if root is not None and root != here:
        print(f"(in {root})", file=sys.stderr)
        os.chdir(root)
        stood = here


def meant_from_there(app: typer.Typer) -> None:
    """Let the files that the app's commands are given be meant from where the user stood."""
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
    """What one argument means."""
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
    """What may be a file, or the name of something, from the project's root: a file is one of where the user stood."""
    file, hash_, key = value.partition("#")
    if not (stood and file and (stood / file).exists()):
        return value
    there = os.path.relpath(stood / file)  # what lies outside the project is known by its whole path
    return (os.path.abspath(stood / file) if there.startswith("..") else there) + hash_ + key


def unwritable(path: Path) -> str:
    """Why no file can be written at `path`; folders that are missing are made. "" if it can."""
    if path.is_dir():
        return "that is a folder; name a file."
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        return f"{above} is no folder."
    return "" if os.access(path if path.exists() else above, os.W_OK) else "it may not be written."
