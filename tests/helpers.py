"""A copy of the project to run in, and running commands there."""

import os
import shutil
import subprocess
import sys
from functools import cache
from io import StringIO
from pathlib import Path

import compiled
import pytest
from ruamel.yaml import YAML

PROJECT = Path(__file__).parents[1]


def some(values, *always) -> list:
    """Values of a parameter for `parametrize`: `always` in `make test`, the others in `make test-all` alone."""
    return [value if value in always else pytest.param(value, marks=pytest.mark.system) for value in values]


def copy_project(to: Path) -> Path:
    """The project's code, as it is compiled, and recipe in a new folder with its own DVC, without data, and without git."""
    to.mkdir(parents=True)
    for name in ("pipelines", "assets"):
        shutil.copytree(PROJECT / name, to / name, ignore=shutil.ignore_patterns("*.pyc.*"))  # what Python is writing
    compiled.hand_on(to)
    for name in ("dvc.yaml", "dagster.yaml", "workspace.yaml", ".dvcignore"):
        shutil.copy(PROJECT / name, to / name)
    copy_params(to)
    run_in(to, sys.executable, "-m", "dvc", "init", "--no-scm", "-q")
    return to


def copy_params(to: Path) -> None:
    """params.yaml without the datasets its user added, and without corpora and their runs, which would take every project a
    minute."""
    (to / "params.yaml").write_text(_params())


@cache
def _params() -> str:
    editor = YAML()
    editor.preserve_quotes, editor.width = True, 4096
    editor.indent(mapping=2, sequence=4, offset=2)
    document = editor.load((PROJECT / "params.yaml").read_text())
    for section, kept in (("datasets", {"scores"}), ("corpora", set()), ("symbols", set())):
        for name in set(document[section]) - kept:
            del document[section][name]
    for name, entry in list(document["runs"].items()):
        if entry["dataset"] != "scores":
            del document["runs"][name]
    file = StringIO()
    editor.dump(document, file)
    return file.getvalue()


def run_in(folder: Path, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess:
    """Run a command in `folder` with that folder's code first on Python's path; output is kept, and shown on failure."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "DVC_NO_ANALYTICS": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        **variables,
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if check and done.returncode:
        pytest.fail(f"{command} failed with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done
