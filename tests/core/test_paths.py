"""`core.paths` names the outputs that dvc.yaml does."""

import inspect

import yaml
from helpers import PROJECT

from pipelines import recipe
from pipelines.core import paths
from pipelines.ops.patches import resolver

NAMES = {"dataset": "scores", "representation": "log_mel", "name": "short", "tagger": "short"}
INSIDE = {"pooled": "data/features/scores/pooled"}  # a file in an output


def test_every_path_is_an_output_of_the_recipe():
    stages = resolver.stages(PROJECT)
    outs = {out for stage in stages.values() for out in recipe.paths(stage, *recipe.OUTS)}
    functions = [value for name, value in vars(paths).items() if inspect.isfunction(value)]
    assert len(functions) > 15
    for function in functions:
        path = function(*(NAMES[name] for name in inspect.signature(function).parameters)).as_posix()
        assert INSIDE.get(function.__name__, path) in outs and path.startswith(INSIDE.get(function.__name__, path))


def test_every_output_of_data_and_models_has_a_path():
    written = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    kinds = {
        out.partition("/$")[0]
        for stage in written.values()
        for out in recipe.paths(stage.get("do", stage), *recipe.OUTS)
        if out.startswith(("data/", "models/")) and not out.startswith("data/records/")
    }
    functions = [value for value in vars(paths).values() if inspect.isfunction(value)]
    named = {
        function(*(NAMES[name] for name in inspect.signature(function).parameters)).as_posix() for function in functions
    }
    assert {kind for kind in kinds if not any(path.startswith(kind) for path in named)} == set()
