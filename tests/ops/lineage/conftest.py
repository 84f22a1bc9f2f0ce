"""The small project of the audit's tests, to work in."""

import audit_project
import pytest
from typer.testing import CliRunner

from pipelines.cli import app


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of `audit_project`, the working folder."""
    folder = audit_project.create(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def call():
    """`call(*arguments) -> (exit status, standard output, standard error)` of `conservatory`."""

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return run
