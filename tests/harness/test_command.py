"""The command line of a stage: a word for each parameter of its `main`, and its docstring as help."""

import re

import pytest
import yaml
from helpers import PROJECT

from pipelines.harness import command

DOC = "count: how many.\n\n    count this"


def test_names_go_to_main_by_their_place(monkeypatch):
    heard = []
    monkeypatch.setattr("sys.argv", ["count", "scores", "short"])
    command.run(lambda dataset, tagger: heard.append((dataset, tagger)), DOC)
    assert heard == [("scores", "short")]


@pytest.mark.parametrize("words", [[], ["a"], ["a", "b", "c"]])
def test_too_few_or_too_many_are_refused(monkeypatch, capsys, words):
    monkeypatch.setattr("sys.argv", ["count", *words])
    with pytest.raises(SystemExit) as error:
        command.run(lambda dataset, tagger: pytest.fail("it ran"), DOC)
    assert error.value.code == 2 and "usage: count [-h] dataset tagger" in capsys.readouterr().err


def test_help_is_the_docstring_as_it_is_written(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["count", "--help"])
    with pytest.raises(SystemExit):
        command.run(lambda dataset: None, DOC)
    assert DOC in capsys.readouterr().out


def test_every_stage_has_it():
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    names = {re.search(r"pipelines\.stages\.(\w+)", str(stage.get("do", stage)["cmd"]))[1] for stage in stages.values()}
    other = {
        name
        for name in names
        if "command.run(main, __doc__)" not in (PROJECT / f"pipelines/stages/{name}.py").read_text()
    }
    assert other == set()
