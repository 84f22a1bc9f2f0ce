"""What a test may find missing: packages, programs, users, rights. Each function skips the test, with the reason and the remedy,
if any part of what it names is missing; tests/test_needs.py takes parts away in turn. Faults have their own (chaos/faults.py)."""

import importlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

Missing = pytest.skip.Exception
FOLDERS = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin"
POSTGRES = "/usr/lib/postgresql"
"""Where Debian keeps PostgreSQL's programs, which are not on PATH."""


def package(name: str, extra: str):
    """A Python package that one of the project's extras brings. Returns the module."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{error}: pip install -c constraints.txt -e '.[{extra}]'")


def program(debian: str, *names: str, folders: str = "") -> str:
    """The first of these programs that is there. `debian` is the package that brings it."""
    for name in names:
        if found := shutil.which(name, path=folders or FOLDERS):
            return found
    pytest.skip(f"no {' or '.join(names)} here: apt-get install {debian}")


def chromium():
    """(playwright's synchronous interface, the path of Chromium)."""
    playwright = package("playwright.sync_api", "dev")
    return playwright, program("chromium", "chromium", "chromium-browser", "google-chrome")


def postgres() -> tuple[Path, dict]:
    """(folder with `initdb` and `postgres`, options for `subprocess` to run them as a user who may): they refuse to be run by
    root, who runs them as the user `postgres`. Python's driver is needed too, also where the database is SQLite."""
    deployment()
    newest = sorted(
        Path(POSTGRES).glob("*/bin"), key=lambda path: int(path.parts[-2]) if path.parts[-2].isdigit() else 0
    )
    folders = os.pathsep.join([*map(str, reversed(newest)), FOLDERS])
    folder = Path(program("postgresql", "initdb", folders=folders)).parent
    program("postgresql", "postgres", folders=str(folder))
    if os.geteuid():
        return folder, {}
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("no user `postgres`, as whom root would run PostgreSQL: apt-get install postgresql")
    return folder, {"user": "postgres", "group": "postgres", "extra_groups": []}


def deployment() -> None:
    """What every service of a team's deployment imports."""
    package("dagster_postgres", "deploy")
    package("psycopg2", "deploy")


def ray() -> str:
    """The command `ray` of the package that is installed."""
    found = Path(package("ray", "ray").__file__).parents[4] / "bin"
    return program("python3-ray, or pip install -c constraints.txt -e '.[ray]'", "ray", folders=f"{found}:{FOLDERS}")


def mount(folder: Path, size: str) -> None:
    """Mount a small file system in memory; whoever asked unmounts it."""
    command = [program("mount", "mount"), "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"only root may mount a small file system, and not in every container: {done.stderr.strip()}")
