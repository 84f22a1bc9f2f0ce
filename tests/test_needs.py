"""Whoever lacks a program, a package or a right sees a skip with the remedy, never an error."""

import os
import subprocess
import sys

import needs
import pytest
from helpers import PROJECT

ALL = {
    "chromium": needs.chromium,
    "deployment": needs.deployment,
    "postgres": needs.postgres,
    "ray": needs.ray,
}


@pytest.fixture
def everything(monkeypatch, tmp_path):
    """A machine that has all of it: programs in `tmp_path`, packages, and a user who is not root. Returns that folder."""
    for name in ("chromium", "initdb", "postgres", "ray", "mount"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    for name in ("playwright.sync_api", "dagster_postgres", "psycopg2", "ray"):
        monkeypatch.setitem(sys.modules, name, type(sys)(name))
    sys.modules["ray"].__file__ = "/nowhere/lib/python/site-packages/ray/__init__.py"
    monkeypatch.setattr(needs, "FOLDERS", str(tmp_path))
    monkeypatch.setattr(needs, "POSTGRES", str(tmp_path / "none"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_skipped_where_all_is_there(everything, name):
    ALL[name]()


@pytest.mark.parametrize(
    ("name", "module", "remedy"),
    [
        ("chromium", "playwright.sync_api", r"\[dev\]"),
        ("deployment", "dagster_postgres", r"\[deploy\]"),
        ("deployment", "psycopg2", r"\[deploy\]"),
        ("postgres", "dagster_postgres", r"\[deploy\]"),
        ("postgres", "psycopg2", r"\[deploy\]"),
        ("ray", "ray", r"\[ray\]"),
    ],
)
def test_a_package_that_is_missing_is_named(everything, monkeypatch, name, module, remedy):
    monkeypatch.setitem(sys.modules, module, None)  # an import of it fails
    with pytest.raises(needs.Missing, match=rf"{module}.*pip install .*{remedy}"):
        ALL[name]()


@pytest.mark.parametrize(
    ("name", "program", "remedy"),
    [("chromium", "chromium", "chromium"), ("postgres", "initdb", "postgresql"), ("postgres", "postgres", "postgresql"),
     ("ray", "ray", "ray")],
)  # fmt: skip
def test_a_program_that_is_missing_is_named(everything, name, program, remedy):
    (everything / program).unlink()
    with pytest.raises(needs.Missing, match=rf"no {program}.* here: apt-get install .*{remedy}"):
        ALL[name]()


def test_a_right_that_is_missing_is_named(everything, monkeypatch, tmp_path):
    (tmp_path / "mount").write_text("#!/bin/sh\necho must be superuser >&2\nexit 32\n")
    with pytest.raises(needs.Missing, match="only root may mount .* must be superuser"):
        needs.mount(tmp_path / "disk", "1m")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def nobody(name):
        raise KeyError(name)

    monkeypatch.setattr(needs.pwd, "getpwnam", nobody)
    with pytest.raises(needs.Missing, match="no user `postgres`"):
        needs.postgres()


@pytest.mark.stage
def test_the_deployments_tests_are_skipped_without_the_driver():
    """As in a plain .venv on a machine that has PostgreSQL's server: no error, and nothing that fails."""
    hide = "import sys, pytest; sys.modules.update(dagster_postgres=None, psycopg2=None); sys.exit(pytest.main(sys.argv[1:]))"
    files = [f"tests/deploy/{name}.py" for name in ("test_team", "test_access")]
    command = [sys.executable, "-c", hide, "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == 0 and "skipped" in last and "passed" not in last, done.stdout[-3000:]
