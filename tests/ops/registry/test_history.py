"""A model's history: stages are read off events, and no writer loses another's."""

import subprocess
import sys

import pytest
from helpers import PROJECT
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ops.registry import history
from pipelines.ops.registry.errors import RegistryError


def events(*pairs):
    return [{"event": event, "version": version} for event, version in pairs]


LIFE = events(
    ("registered", 1),
    ("promoted", 1),
    ("registered", 2),
    ("refused", 2),
    ("registered", 3),
    ("promoted", 3),
    ("registered", 4),
)


def test_stages_by_hand():
    assert history.stages(LIFE) == {1: "retired", 2: "retired", 3: "champion", 4: "challenger"}
    assert history.champion(LIFE) == 3 and history.before(LIFE) == 1
    back = [*LIFE, *events(("rolled_back", 1))]
    assert history.stages(back) == {1: "champion", 2: "retired", 3: "retired", 4: "challenger"}
    assert history.before(back) is None  # version 3 was taken back: nothing lies before version 1
    again = [*back, *events(("promoted", 4))]
    dropped = [*again, *events(("dropped", 2))]
    assert history.stages(dropped) == {1: "retired", 2: "dropped", 3: "retired", 4: "champion"}
    assert (
        history.before(again) == history.before(dropped) == 1
        and history.champion([]) is None
        and history.before([]) is None
    )


def test_going_back_to_who_was_taken_back():
    """A rollback may name a champion that a rollback took back before: it has the champions before it that it had then."""
    back = events(("promoted", 1), ("promoted", 2), ("rolled_back", 1))
    undone = [*back, *events(("rolled_back", 2))]
    assert history.champion(undone) == 2 and history.before(undone) == 1
    third = [*undone, *events(("promoted", 3))]
    assert history.before(third) == 2
    far = events(("promoted", 1), ("promoted", 2), ("promoted", 3), ("rolled_back", 1), ("rolled_back", 3))
    assert history.before(far) == 2


@st.composite
def lives(draw):
    """Events that `promotion` can write: who is promoted is not champion, who is gone back to was one."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        champion, former = history.champion(found), sorted({*history.champions(found)} - {history.champion(found)})
        fresh = number + 1
        if former and draw(st.booleans()):
            found += events(("rolled_back", draw(st.sampled_from(former))))
        else:
            found += events(("promoted", draw(st.sampled_from([fresh, *former]))))
        assert history.champion(found) != champion
    return found


def gone_back(life):
    """`conservatory models rollback`, once."""
    return [*life, *events(("rolled_back", history.before(life)))]


@given(lives())
def test_before_is_who_was_champion_before(life):
    champion, fresh = history.champion(life), 99
    later = [*life, *events(("promoted", fresh))]
    assert history.before(later) == champion
    if champion is None:
        return
    # a promotion that is rolled back changes nothing, and neither does a rollback to a version that is undone
    assert history.champion(gone_back(later)) == champion and history.before(gone_back(later)) == history.before(life)
    undone = [*gone_back(later), *events(("rolled_back", fresh))]
    assert history.champion(undone) == fresh and history.before(undone) == champion
    assert history.before(life) != champion


@given(lives())
def test_going_back_again_and_again_ends_with_the_first_champion(life):
    for _ in range(len(life) + 1):
        if history.before(life) is None:
            break
        life = gone_back(life)
    assert history.before(life) is None and history.champion(life) in (None, *history.champions(life)[:1])


@given(st.lists(st.tuples(st.sampled_from(["registered", "promoted", "refused", "rolled_back"]), st.integers(1, 4))))
def test_there_is_never_more_than_one_champion(pairs):
    found = history.stages(events(*pairs))
    assert list(found.values()).count("champion") <= 1
    assert set(found) == {version for _, version in pairs}


def test_append_and_read(tmp_path):
    assert history.read(tmp_path, "short") == [] and history.names(tmp_path) == []
    with history.alone(tmp_path):
        history.append(tmp_path, "short", "registered", 1, "größer", figure=0.5)
    (event,) = history.read(tmp_path, "short")
    assert event["reason"] == "größer" and event["figure"] == 0.5 and event["time"].endswith("+00:00")
    assert history.names(tmp_path) == ["short"]


@pytest.mark.parametrize(
    "line",
    [
        b"<<<<<<< HEAD",
        b"\xff",
        b"[" * 5000,
        b'{"time": "t", "reason": "r", "event": "promoted", "version": [1]}',
        b'{"time": "t", "reason": "r", "event": 1, "version": 1}',
        b'{"reason": "r", "event": "promoted", "version": 1}',
        b'{"time": "t", "reason": null, "event": "promoted", "version": 1}',
    ],
    ids=["conflict", "bytes", "depth", "version", "event", "time", "reason"],
)
def test_a_line_that_is_no_event_is_named(tmp_path, line):
    history.append(tmp_path, "short", "registered", 1, "")
    path = tmp_path / "registry/short/history.jsonl"
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(RegistryError, match=r"history.jsonl, line 2, is no event.*git checkout"):
        history.append(tmp_path, "short", "promoted", 1, "")
    assert line in path.read_bytes()


def test_many_writers_lose_nothing(tmp_path):
    code = """
import sys
from pathlib import Path
from pipelines.ops.registry import history
for number in range(10):
    with history.alone(Path(".")):
        last = len(history.read(Path("."), "short"))
        history.append(Path("."), "short", "registered", last + 1, sys.argv[1])
"""
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(n)], cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)})
        for n in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert [event["version"] for event in history.read(tmp_path, "short")] == list(range(1, 41))
    assert [path.name for path in (tmp_path / "registry/short").iterdir()] == ["history.jsonl"]
