"""What every family of tasks has, and that each of its presets makes a params.yaml that is valid."""

import importlib.util
import inspect
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT

from pipelines import tasks
from pipelines.metrics.scores import Metric
from pipelines.ops import presets, settings
from pipelines.ops.settings.tasks import KINDS, SHARED

FAMILIES = tasks.families()
PRESETS = presets.presets()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_says_what_it_does_and_what_a_run_may_state(family):
    package = tasks.family(family)
    assert len(package.__doc__.partition("\n")[0]) > 20
    for option, (_, kind) in package.OPTIONS.items():
        assert kind in KINDS if isinstance(kind, str) else len(kind) > 1, option
        assert option not in tasks.KEYS
    folder = tasks.FOLDER / family
    packages = {path.parent.name for path in folder.glob("*/__init__.py")} - {"models"}
    assert packages == {"score", "section"} | ({"fit"} if family != tasks.TAGGING else set())
    # a module beside the packages would be a dependency of no stage
    assert {path.name for path in folder.iterdir() if path.is_file()} <= {"__init__.py", "predict.py", "presets.yaml"}


@pytest.mark.parametrize("family", FAMILIES)
def test_its_parts_have_the_functions_that_stages_call(family):
    score = tasks.part(family, "score")
    assert score.METRICS and all(isinstance(metric, Metric) for metric in score.METRICS.values())
    assert [*inspect.signature(score.predict).parameters] == ["run", "folder"]
    assert [*inspect.signature(score.baseline).parameters] == ["run"]
    if family != tasks.TAGGING:
        assert [*inspect.signature(tasks.part(family, "fit").fit).parameters] == ["run", "seed", "folder"]
    if (tasks.FOLDER / family / "predict.py").exists():
        served = tasks.part(family, "predict")
        assert [*inspect.signature(served.predict).parameters] == ["run", "folder", "new", "clip_ids"]
        assert [*inspect.signature(served.line).parameters] == ["answer", "top"]
    section = tasks.part(family, "section")
    assert section.TITLE and isinstance(section.ORDER, int)
    assert [*inspect.signature(section.render).parameters] == ["context"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_model_loads_and_says_what_it_is(family):
    for path in sorted((tasks.FOLDER / family).glob("models/[!_]*.py")):
        spec = importlib.util.spec_from_file_location(f"model_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.__doc__, path


def test_no_two_families_have_a_preset_of_one_name():
    names = [name for path in presets.FOLDER.glob("*/presets.yaml") for name in yaml.safe_load(path.read_text())]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_makes_valid_settings(name):
    preset = PRESETS[name]
    found = yaml.safe_load((PROJECT / "params.yaml").read_text())
    for section, key, entry in preset.each():
        found[section].setdefault(key, entry)
    settings.check(found, PROJECT)
    assert preset.about.endswith(".") and preset.minutes > 0
    assert all(set(entry) == set(SHARED) for entry in preset.entries.get("tasks", {}).values())
    assert preset.entries.get("runs") or preset.entries.get("taggers"), "nothing would be scored"


def test_stages_depend_on_their_own_part_of_a_familys_folder():
    """`fit` and `score` name the one model that a run uses."""
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    model = "models/${item.model}.py"
    parts = {"fit": {"fit", model}, "score": {"fit", "score", model}, "cross_test": {"fit", "score", model}}
    for stage, expected in (parts | {"task_page": {"section"}}).items():
        own = "pipelines/tasks/${key}/" if stage == "task_page" else "pipelines/tasks/${item.task}/"
        deps = {dep.removeprefix(own) for dep in stages[stage]["do"]["deps"] if isinstance(dep, str) and own in dep}
        assert deps == expected | {"__init__.py"}, stage
    assert Path(tasks.FOLDER) == PROJECT / "pipelines/tasks"
