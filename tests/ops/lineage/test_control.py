"""Names of files are strangers' words: none of them moves a terminal's cursor, and none breaks an answer."""

import json

import audit_project
import pytest

from pipelines.core.plain import CONTROL

NAME = "x\x1b[31mRED\x1b]0;pwned\x07\x9b\u202e.wav"


@pytest.fixture
def named(project):
    (project / "music" / NAME).write_text("sound of a strange name")
    (project / "data/raw/two/files.json").unlink()
    audit_project.repro(project, "--force", "raw@two")
    audit_project.repro(project)
    return f"music/{NAME}"


def test_no_control_character_reaches_a_terminal(named, call):
    for command in (("trace", named), ("impact", named), ("diff", "second"), ("remove", named, "--why", "a test")):
        status, out, errors = call(*command)
        assert status == 0, errors
        assert not [char for char in out + errors if ord(char) < 32 and char != "\n"], command
        assert command[0] == "diff" or "x?[31mRED?]0;pwned???.wav" in out
    errors = call("trace", "nothing\x1b[31m")[2]
    assert "nothing" in errors and "\x1b" not in errors


def test_json_has_the_name_as_it_is(named, call):
    out = call("trace", named, "--json", "-")[1]
    assert json.loads(out)["target"]["path"] == named and not CONTROL.search(out)
