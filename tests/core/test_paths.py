"""`core.paths` names the outputs that dvc.yaml does."""

import inspect
import re

import yaml
from helpers import PROJECT

from pipelines import recipe
from pipelines.core import paths

GIVEN = {"records": ("raw",), "record": ("raw", "name"), "report": ("scores",)}  # names that dvc.yaml has, not items
INSIDE = {"pooled": "data/features/name/pooled"}  # a file in an output
FUNCTIONS = [function for function in vars(paths).values() if inspect.isfunction(function)]
STAGES = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
OUTS = {out for stage in STAGES.values() for out in recipe.paths(stage.get("do", stage), *recipe.OUTS)}


def path(function):
    """With the same word for every parameter that names an item."""
    words = GIVEN.get(function.__name__, ["name"] * len(inspect.signature(function).parameters))
    return function(*words).as_posix()


def test_every_path_is_an_output_of_the_recipe():
    patterns = [re.compile(r"\w+".join(map(re.escape, re.split(r"\$\{[^}]*\}", out)))) for out in OUTS]
    assert len(FUNCTIONS) > 15
    assert any(out.startswith(f"{path(paths.records)}/") for out in OUTS), "a folder of outputs"
    for function in set(FUNCTIONS) - {paths.records}:
        found = INSIDE.get(function.__name__, path(function))
        assert any(pattern.fullmatch(found) for pattern in patterns) and path(function).startswith(found), found


def test_every_output_of_data_and_models_has_a_path():
    kinds = {out.partition("/$")[0] for out in OUTS if out.startswith(("data/", "models/"))}
    kinds = {kind for kind in kinds if not kind.startswith(paths.RECORDS)}  # `record` gives those of all stages
    named = [path(function) for function in FUNCTIONS]
    assert {kind for kind in kinds if not any(each.startswith(kind) for each in named)} == set()
