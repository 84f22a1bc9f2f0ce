"""What taggers may hear: left-out classes are heard by none, in any split, and an unknown one is an error that says what is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import training_clips

CLIPS = pd.DataFrame(
    {
        "split": ["train", "train", "validation", "test", "train", "test", "train", "validation"],
        "group": ["1", "2", "3", "4", "5", "6", "1", "7"],
        "target_style": ["a", "a", "a", "a", "b", "b", "b", None],
        "target_size": ["l", "m", "l", "m", "l", "m", "l", "m"],
    }
)


@pytest.mark.parametrize("nothing", [None, {}])
def test_nothing_is_left_out_by_default(nothing):
    assert not training_clips.left_out(CLIPS, nothing).any()
    assert training_clips.roles(CLIPS, nothing).tolist() == [
        *("reference", "reference", "validation", "held_out", "reference", "held_out", "reference", "validation")
    ]
    assert training_clips.in_words(nothing) == "nothing"


def test_classes_of_several_targets():
    assert training_clips.left_out(CLIPS, {"style": ["b"]}).tolist() == [False] * 4 + [True] * 3 + [False]
    both = training_clips.left_out(CLIPS, {"style": ["b"], "size": ["m"]})
    assert both.tolist() == [False, True, False, True, True, True, True, True]
    assert training_clips.in_words({"style": ["b"], "size": ["m", "l"]}) == "style b; size m, l"


def test_a_left_out_clip_of_a_training_work_is_not_outside():
    found = training_clips.roles(CLIPS, {"style": ["b"]})
    assert found.tolist() == [
        *("reference", "reference", "validation", "held_out", "outside", "outside", "shared", "validation")
    ]
    assert training_clips.training_groups(found, CLIPS["group"]) == {"1", "2", "3", "7"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["train", "validation", "test"]), st.integers(0, 5))))
def test_outside_clips_share_no_work_with_training_clips(rows):
    clips = pd.DataFrame(rows, columns=["target_style", "split", "group"]).astype({"group": str})
    leave_out = {"style": ["a"]} if "a" in set(clips["target_style"]) else {}
    role = training_clips.roles(clips, leave_out)
    assert set(role) <= set(training_clips.ROLES)
    known = training_clips.training_groups(role, clips["group"])
    assert not known & set(clips["group"][role == "outside"])
    is_left = role.isin(["outside", "shared"])
    np.testing.assert_array_equal(is_left, training_clips.left_out(clips, leave_out))


@pytest.mark.parametrize(
    ("leave_out", "said"),
    [
        ({"genre": ["b"]}, "target 'genre', which training.dataset does not have; it has style, size"),
        ({"style": ["b", "c"]}, "names 'c', which no clip of training.dataset has; its classes are a, b"),
    ],
)
def test_what_is_unknown_is_named(leave_out, said):
    with pytest.raises(SystemExit, match=said):
        training_clips.left_out(CLIPS, leave_out)
