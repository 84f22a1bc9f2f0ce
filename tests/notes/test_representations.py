"""Every representation of notes: shapes that follow from the parameters, finite values, and what it keeps and loses."""

import needs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import plugins
from pipelines.notes import representations
from pipelines.notes.representations import note_statistics, piano_roll
from pipelines.notes.tables import NOTES, array

NAMES = sorted(path.stem for path in (plugins.PROJECT / representations.FOLDER).glob("[!_]*.py"))
NOTE = st.builds(
    lambda onset, duration, pitch, velocity, channel: {
        "onset": onset / 12, "duration": duration / 12, "pitch": pitch, "velocity": velocity, "channel": channel,
    },
    st.integers(0, 96), st.integers(0, 48), st.integers(0, 127), st.integers(1, 127), st.sampled_from([0, 9]),
)  # fmt: skip


def notes_of(*rows):
    """(onset, duration, pitch), and perhaps more columns."""
    given = [dict(zip(("onset", "duration", "pitch", "channel", "sequence"), row, strict=False)) for row in rows]
    return array(NOTES, [{"velocity": 100} | row for row in sorted(given, key=lambda row: row["onset"])])


def computed(name, notes, length, **parameters):
    return representations.compute(representations.load(name), notes, length, parameters)


@pytest.mark.parametrize("name", NAMES)
@given(notes=st.lists(NOTE, max_size=12), length=st.floats(0, 20))
@settings(max_examples=40, deadline=None)
def test_shape_and_values(name, notes, length):
    if name == "tokens":
        needs.package("miditok", "tokens")
    found = computed(name, array(NOTES, sorted(notes, key=lambda note: note["onset"])), length)
    none = computed(name, array(NOTES, []), 0.0)
    if representations.load(name).KIND == "pooled":
        assert list(found) == list(none) and np.isfinite(list(found.values())).all()
    else:
        assert found.dtype == representations.load(name).DTYPE and found.shape[1:] == none.shape[1:] and len(none) == 0
        assert np.isfinite(found).all()
        assert representations.load(name).KIND == "events" or len(found) >= np.ceil(length * 4 - 1e-6)


def test_a_representation_that_is_not_there():
    with pytest.raises(ValueError, match="do you mean piano_roll"):
        representations.load("piano_rol")


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.integers(0, 127)), max_size=20))
def test_a_roll_keeps_which_pitch_sounds_when(notes):
    """Notes on the grid: step by step, the roll is what the notes say."""
    roll = computed("piano_roll", notes_of(*((a / 4, b / 4, pitch) for a, b, pitch in notes)), 0.0)
    sounding = {(step, pitch) for a, b, pitch in notes for step in range(a, a + b)}
    assert {(int(step), int(pitch)) for step, pitch in np.argwhere(roll)} == sounding
    assert set(roll[roll > 0].tolist()) <= {100}


@pytest.mark.parametrize(
    ("notes", "parameters", "steps"),
    [
        ([(0, 0, 60)], {}, {0: 60}),  # a note of no length sounds in one step
        ([(0.1, 0.3, 60)], {}, {0: 60, 1: 60}),  # .4 and 1.6 steps: the nearest are 0 and 2
        ([(1 / 3, 1 / 3, 60)], {"steps_per_quarter": 3}, {1: 60}),
        ([(0, 1, 60, 9)], {}, {}),
        ([(0, 0.25, 36, 9)], {"drums": True}, {0: 36}),
        ([(0, 0.25, 60), (0, 0.5, 62, 0, 1)], {}, {0: 60, 1: 62, 2: 62}),  # sequences follow one another
    ],
)
def test_steps(notes, parameters, steps):
    roll = computed("piano_roll", notes_of(*notes), 0.0, **parameters)
    assert {int(step): int(pitch) for step, pitch in np.argwhere(roll)} == steps


def test_the_louder_of_two_notes_of_one_pitch_stays():
    notes = notes_of((0, 1, 60), (0.5, 1, 60))
    notes["velocity"] = [20, 90]
    assert piano_roll.compute(notes, 2.0)[:, 60].tolist() == [20, 20, 90, 90, 90, 90, 0, 0]


def test_statistics_of_a_scale():
    scale = notes_of(*((n, 1, pitch) for n, pitch in enumerate([60, 62, 64, 65, 67, 69, 71, 72])), (0, 8, 35, 9))
    found = note_statistics.compute(scale, 8.0)
    assert found["class_c"] == 2 / 8 and found["class_b"] == 1 / 8 and found["class_c_sharp"] == 0
    assert (found["pitch_min"], found["pitch_max"], found["notes_per_quarter"]) == (60, 72, 1)
    assert found["step_mean"] == 12 / 7 and found["step_small"] == 1 and found["duration_sd"] == 0


@given(notes=st.lists(NOTE, max_size=12))
@settings(max_examples=40, deadline=None)
def test_events_tell_every_note_with_a_pitch_and_when(notes):
    found = computed("note_events", array(NOTES, sorted(notes, key=lambda note: note["onset"])), 0.0)
    told = sorted(zip(np.cumsum(found[:, 1]).round(3), found[:, 0], found[:, 2].round(3), strict=True))
    there = [(n["onset"], n["pitch"], n["duration"]) for n in notes if n["channel"] != 9]
    np.testing.assert_allclose(np.array(told).reshape(-1, 3), np.array(sorted(there)).reshape(-1, 3), atol=2e-3)
    assert (found[:, 1] >= 0).all()
