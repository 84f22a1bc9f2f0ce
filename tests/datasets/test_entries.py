"""The entries of published datasets in params.yaml, switched on: the recipe takes them, and names all the code they load."""

import inspect
import json
import re
import sys

import pytest
import yaml
from helpers import PROJECT, run_in

from pipelines import datasets
from pipelines.core import params
from pipelines.models.published import WANTED

TEXT = (PROJECT / "params.yaml").read_text()
OFF = re.compile(r"^  # (?=(?:\w+:(?:\s+#.*)?$|  (?!# )))", re.M)  # of `  # name:` and `  #   key: value`
NAMES = ("gtzan", "jamendo", "magnatagatune")
OTHERS = ("scores_other_font",)


SWITCHED_ON = OFF.sub("  ", TEXT)


@pytest.fixture(scope="module")
def settings():
    """params.yaml with every published dataset, and the published weights, uncommented."""
    return yaml.safe_load(SWITCHED_ON)


def test_they_are_off(settings):
    assert not {*NAMES, *OTHERS} & set(yaml.safe_load(TEXT)["datasets"])
    assert {*NAMES, *OTHERS} <= set(settings["datasets"])
    entry = settings["taggers"]["fcn_published"]
    assert entry["network"] == "fcn" and set(entry["weights"]) == set(WANTED)


def test_the_other_font_plays_the_same_works(settings):
    """Whatever decides which notes are played is as in `scores`, so that the split is the same too."""
    same, other = settings["datasets"]["scores"], settings["datasets"]["scores_other_font"]
    assert same.items() <= other.items()
    extra = set(other) - set(same)
    assert extra == {"soundfont", "soundfont_sha256", "splits"}
    module = datasets.load(other)
    assert all(f'"{key}"' in inspect.getsource(module) and f"`{key}`" in module.__doc__ for key in extra)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_one_the_module_knows(settings, name):
    source = inspect.getsource(datasets.load(settings["datasets"][name]))
    for key in set(settings["datasets"][name]) - {"module", "imports"}:
        assert f'"{key}"' in source and f"`{key}`" in source, f"{key} is read and explained"


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_names_the_code_it_loads(settings, name):
    entry = settings["datasets"][name]
    program = (
        "import json; from pipelines import datasets; from pipelines.stages import raw; "
        f"datasets.load({entry!r}); "
        "from pipelines.core.record import loaded_code; print(json.dumps(list(loaded_code())))"
    )
    loaded = json.loads(run_in(PROJECT, sys.executable, "-c", program).stdout)
    assert "pipelines/datasets/sources/download.py" in loaded
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    for stage in ("raw", "manifest"):
        listed = [dep.replace("${item.imports}", entry["imports"]) for dep in stages[stage]["do"]["deps"]]
        listed = [dep.replace("${item.module}", entry["module"]) for dep in listed]
        shaping = {path for path in loaded if not path.startswith("pipelines/harness/")}
        missing = {path for path in shaping if not any(path == dep or path.startswith(f"{dep}/") for dep in listed)}
        assert missing <= {f"pipelines/stages/{other}.py" for other in ("raw", "manifest") if other != stage}


def test_dvc_takes_them(settings, tmp_path):
    for name in ("dvc.yaml", ".dvcignore"):
        (tmp_path / name).write_text((PROJECT / name).read_text())
    (tmp_path / params.PARAMS).write_text(SWITCHED_ON)
    run_in(tmp_path, sys.executable, "-m", "dvc", "init", "--no-scm", "-q")
    listed = run_in(tmp_path, sys.executable, "-m", "dvc", "stage", "list", "--name-only").stdout.split()
    assert {
        f"{stage}@{name}" for name in (*NAMES, *OTHERS) for stage in ("raw", "manifest", "audio", "cluster", "ood")
    } <= set(listed)
