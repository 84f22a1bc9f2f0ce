"""A profile runs beside the project: the committed parameters with its own values, and nothing of the user's changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines import cli
from pipelines.ops import profiles
from pipelines.ops.registry import git
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.settings import load_params

ROOT = Path(__file__).parents[2]
OWN = {"module": "folder", "imports": "pipelines/datasets/listing.py", "path": "/music", "fingerprint": "0" * 64}


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("params.yaml", "dvc.yaml", ".gitignore", ".dvc/config", "profiles"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    git.run(tmp_path, "init", "--quiet")
    commit(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commit(project: Path) -> None:
    git.run(project, "add", "--all")
    git.run(project, *git.NOBODY, "commit", "--quiet", "-m", "x")


def parameters(folder: Path) -> dict:
    return load_params(folder / "params.yaml")


@pytest.mark.parametrize("name", profiles.names(ROOT))
def test_a_profile_is_valid_and_smaller(project, name):
    small, whole = parameters(profiles.tree(project, name)), parameters(project)
    assert small["datasets"]["scores"]["clips_per_style"] < whole["datasets"]["scores"]["clips_per_style"]
    assert small["datasets"]["scores"]["seed"] == whole["datasets"]["scores"]["seed"]
    assert git.run(project, "status", "--porcelain", "--untracked-files=no").stdout == ""


def test_what_is_not_committed_stays_with_the_user_and_own_datasets_are_left_out(project):
    document = yaml.safe_load((project / "params.yaml").read_text())
    document["datasets"]["mine"] = OWN
    (project / "params.yaml").write_text(yaml.safe_dump(document))
    commit(project)
    document["training"]["seed"] = 7
    (project / "params.yaml").write_text(yaml.safe_dump(document))
    path = profiles.tree(project, "class")
    assert parameters(path)["training"]["seed"] == 2026
    assert list(parameters(path)["datasets"]) == ["scores"]
    assert yaml.safe_load((project / "params.yaml").read_text()) == document


def test_a_second_run_begins_from_the_new_commit_and_keeps_its_results(project):
    path = profiles.tree(project, "class")
    before = (path / "params.yaml").read_text()
    result = path / "reports" / "index.html"
    result.parent.mkdir()
    result.write_text("x")
    assert (profiles.tree(project, "class") / "params.yaml").read_text() == before
    document = yaml.safe_load((project / "params.yaml").read_text())
    document["training"]["seed"] = 7
    (project / "params.yaml").write_text(yaml.safe_dump(document))
    commit(project)
    assert parameters(profiles.tree(project, "class"))["training"]["seed"] == 7
    assert result.exists()


def test_what_numba_compiled_is_found_again(project):
    source = project / "pipelines" / "kernel.py"
    source.parent.mkdir()
    source.write_text("from numba import njit\n\n\n@njit(cache=True)\ndef double(x):\n    return 2 * x\n")
    commit(project)
    ask = "import kernel; kernel.double(2); print(sum(kernel.double.stats.cache_hits.values()))"
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    options = {"env": environment, "capture_output": True, "text": True, "check": True}
    assert subprocess.run([sys.executable, "-c", ask], cwd=source.parent, **options).stdout.strip() == "0"
    there = profiles.tree(project, "class") / "pipelines"
    assert subprocess.run([sys.executable, "-c", ask], cwd=there, **options).stdout.strip() == "1"


def test_a_value_that_params_yaml_has_not_is_refused(project):
    (project / "profiles" / "wrong.yaml").write_text("clustering: {n_inits: 3}")
    with pytest.raises(RegistryError, match=r"profiles/wrong\.yaml: clustering has 'n_inits'"):
        profiles.tree(project, "wrong")


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--profile", "klass"], "do you mean class"), (["--profile", "class", "--dry-run"], "only --jobs")],
)
def test_what_cannot_be_run_is_said(project, capsys, words, message):
    with pytest.raises(SystemExit) as ended:
        cli.app(["run", *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
