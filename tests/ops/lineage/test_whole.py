"""What a merge or an editor left half done is said in a sentence, and of which revision it is."""

from pathlib import Path

import audit_project
import pytest
import yaml

from pipelines import recipe

FIGURE = "reports/clustering.json#one.style.short.accuracy"
DAMAGED = ["schema: '2.0'\nstages:\n  a: [", "<<<<<<< HEAD\nstages: 1\n", "stages: 3\n", "stages: {a: {outs: [1]}}\n"]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_lock_that_is_not_whole(project, call, text):
    Path("dvc.lock").write_text(text)
    status, _, errors = call("trace", FIGURE)
    assert status == 2 and "dvc.lock of the working tree is damaged" in errors
    assert call("trace", FIGURE, "--rev", "second")[0] == 0


SPOILT_PARAMETERS = {
    "a: [\n": "is not valid YAML (while parsing",
    "a: 1\n<<<<<<< HEAD\nb: 1\n=======\n": "line 3",
    "a: 2026-99-99\n": "is not valid YAML (month must be",
    "- a\n- b\n": "is not a table of parameters",
    "5": "is not a table of parameters",
}


@pytest.mark.parametrize("text", SPOILT_PARAMETERS)
def test_parameters_that_are_not_whole(project, call, text):
    Path("params.yaml").write_text(text)
    for command in (("trace", FIGURE, "--verify"), ("impact", "data/raw/one/1.wav"), ("trace", "params.yaml#training")):
        status, _, errors = call(*command)
        assert status == 2 and "params.yaml of the working tree" in errors and "<byte string>" not in errors
        assert SPOILT_PARAMETERS[text] in errors and errors.strip().endswith("restore it by git checkout params.yaml")
    audit_project.commit(project, "Damaged")
    status, _, errors = call("trace", "params.yaml#training", "--rev", "HEAD")
    assert status == 2 and "params.yaml of HEAD" in errors and "checkout" not in errors
    assert call("trace", "params.yaml#training", "--rev", "second")[0] == 0


DOUBLED = "schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs: []\n  a:\n    cmd: y\n    outs: []\n"


@pytest.mark.parametrize("command", [("trace", FIGURE), ("impact", "short"), ("diff", "first")])
def test_a_lock_that_is_refused_is_said_in_a_sentence(project, call, command, monkeypatch):
    """As one in which a merge left two entries of a stage."""
    real = recipe.parse_lock

    def parse_lock(text):
        if text == DOUBLED:
            raise yaml.YAMLError("dvc.lock has two entries of a")
        return real(text)

    monkeypatch.setattr(recipe, "parse_lock", parse_lock)
    Path("dvc.lock").write_text(DOUBLED)
    status, _, errors = call(*command)
    assert status == 2 and "dvc.lock of the working tree is damaged" in errors and "two entries of a" in errors
