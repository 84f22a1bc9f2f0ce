"""A project with a champion, and a training that can be stopped: for files that do not make their own."""

import os
import shutil

import pytest
import small_models as small


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project whose first model is the champion."""
    return small.with_champion(tmp_path_factory.mktemp("retrain") / "project")


@pytest.fixture
def project(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "project", symlinks=True)


@pytest.fixture
def stop(tmp_path):
    """Where a training stops until it is told to go on."""
    for end in (".begun", ".go"):
        os.mkfifo(f"{tmp_path / 'stop'}{end}")
    return str(tmp_path / "stop")
