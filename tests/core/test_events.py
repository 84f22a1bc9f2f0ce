"""Events against closed forms: what a chunk keeps, which frames are active, and the rows that are refused."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import events
from pipelines.core.tables import write_table

CLIPS = pd.DataFrame({"clip_id": ["b2", "a1"], "path": ["b.wav", "a.wav"], "duration_s": [4.0, 2.0]})
HOP = 0.016


def table(*rows):
    return pd.DataFrame(rows, columns=["label", "onset_s", "offset_s"]).assign(
        target="instrument", clip_id="a1", value=0.0
    )


def given_rows(*rows, **columns):
    return pd.DataFrame(rows, columns=["path", "label", "onset_s", "offset_s"]).assign(target="instrument", **columns)


def test_a_chunk_keeps_what_overlaps_it_cut_at_its_edges_and_shifted():
    found = events.crop(
        table(("a", 0, 1), ("b", 0.5, 3), ("c", 1, 1.5), ("d", 2, 3), ("e", 1, 1), ("f", 2, 2), ("g", 0, 9)), 1, 2
    )
    wanted = [("b", 0, 1), ("c", 0, 0.5), ("e", 0, 0), ("g", 0, 1)]
    assert [(row.label, row.onset_s, row.offset_s) for row in found.itertuples()] == wanted


def test_frames_are_active_where_their_centre_lies_in_the_event():
    found = events.grid(
        table(("a", 0.02, 0.05), ("b", 0, 0.01), ("b", 0.033, 0.047), ("c", 0.04, 0.04), ("d", 3 * HOP, 5 * HOP)),
        ["a", "b", "c", "d"],
        6,
        HOP,
    )
    # centres at 0, 16, 32, 48, 64, 80 ms
    wanted = {"a": [2, 3], "b": [0], "c": [3], "d": [3, 4]}
    assert {label: np.flatnonzero(found[:, n]).tolist() for n, label in enumerate("abcd")} == wanted


times = st.lists(st.tuples(st.sampled_from("xy"), st.integers(0, 4000), st.integers(0, 900)), max_size=12)


@settings(deadline=None, max_examples=30)
@given(times, st.integers(1, 5), st.integers(0, 60))
def test_parts_of_a_clip_add_up_to_the_clip(rows, n_chunks, first):
    """In milliseconds, so that sums are exact enough: durations of consecutive chunks, and grids of chunks."""
    whole = table(*((label, onset / 1000, (onset + length) / 1000) for label, onset, length in rows))
    edges = np.linspace(0, 5, n_chunks + 1)
    parts = [events.crop(whole, *edge) for edge in pairwise(edges)]
    assert sum((part["offset_s"] - part["onset_s"]).sum() for part in parts) == pytest.approx(
        (whole["offset_s"] - whole["onset_s"]).sum()
    )
    assert all(((part["onset_s"] >= 0) & (part["offset_s"] <= 5 / n_chunks + 1e-9)).all() for part in parts)
    everything = events.grid(whole, ["x", "y"], 320, HOP)
    chunk = events.grid(whole, ["x", "y"], 50, HOP, start_s=first * HOP)
    np.testing.assert_array_equal(chunk, everything[first : first + 50])


@settings(deadline=None, max_examples=30)
@given(times)
def test_activity_is_the_union_of_notes(rows):
    notes = pd.DataFrame(rows, columns=["label", "onset_s", "length"]).assign(path="a.wav")
    notes["offset_s"] = notes["onset_s"] + notes["length"]
    spans = events.activity(notes, "instrument")
    for label in "xy":
        own, found = (part[part["label"] == label] for part in (notes, spans))
        sounding = np.zeros(5000, bool)
        for row in own.itertuples():
            sounding[row.onset_s : row.offset_s] = True
        assert (found["offset_s"] - found["onset_s"]).sum() == sounding.sum()
        assert (found["onset_s"].to_numpy()[1:] > found["offset_s"].to_numpy()[:-1]).all()


def test_events_are_sorted_by_clip_and_those_of_unusable_files_left_out():
    rows = [("a.wav", "x", 0.5, 2.04), ("b.wav", "x", 1, 2), ("b.wav", "y", 0, 4), ("bad.wav", "x", 0, 99)]
    found = events.of_clips(given_rows(*rows, value=["", "0.5", None, ""]), CLIPS, "events", ["bad.wav"])
    assert found["clip_id"].tolist() == ["b2", "b2", "a1"] and found["label"].tolist() == ["y", "x", "x"]
    assert found["offset_s"].tolist() == [4, 2, 2], "moved to the clip's end"
    assert found["value"].fillna(-1).tolist() == [-1, 0.5, -1]


@pytest.mark.parametrize(
    ("row", "columns", "reason"),
    [
        (("c.wav", "x", 0, 1), {}, "c.wav is no file of the dataset"),
        (("a.wav", "x", 1, 0.5), {}, "the offset 0.5 s is before the onset 1 s"),
        (("a.wav", "x", 1, 2.1), {}, "from 1 to 2.1 s lies outside the clip, which is 2.0 s long"),
        (("a.wav", "x", -0.1, 1), {}, "lies outside the clip"),
        (("a.wav", "x", "1,5", 2), {}, "onset 1,5 and offset 2 must be numbers"),
        (("a.wav", "x", 0, float("nan")), {}, "must be numbers"),
        (("a.wav", " ", 0, 1), {}, "an event without a label"),
        (("a.wav", "x", 0, 1), {"value": "loud"}, "value loud is no number"),
    ],
)
def test_what_cannot_be_an_event_is_named_with_its_row(row, columns, reason):
    found = given_rows(("a.wav", "x", 0, 1), row)
    found.index = [2, 3]
    for name, value in columns.items():
        found[name] = ["", value]
    with pytest.raises(ValueError, match=r"e\.csv, row 3: ") as error:
        events.of_clips(found, CLIPS, "e.csv")
    assert reason in str(error.value)
    with pytest.raises(ValueError, match="the column target is missing"):
        events.of_clips(found.drop(columns="target"), CLIPS, "e.csv")


def test_a_target_without_events_is_named(in_tmp):
    write_table(events.of_clips(given_rows(("a.wav", "x", 0, 1)), CLIPS, "e"), "data/events/d.parquet", events.EVENTS)
    assert len(events.read("d", "instrument")) == 1
    with pytest.raises(ValueError, match="no events of a target 'beat'; its targets with events: instrument"):
        events.read("d", "beat")
    write_table(events.none(), "data/events/d.parquet", events.EVENTS)
    with pytest.raises(ValueError, match="with events: none"):
        events.read("d", "beat")
