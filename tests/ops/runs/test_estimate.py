"""How long a run takes: by what stages took here, and what never ran by its like of another dataset."""

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ops import due, estimate
from pipelines.ops.runs import record

KNOWN = {
    "cluster@small": 10.0,
    "cluster@large": 100.0,
    "embed@large-short": 50.0,
    "report": 3.0,
    "cluster@odd": 7.0,
}
SIZES = {"small": (10, 100.0), "large": (100, 5_000.0), "mine": (40, None), "new": (12, 200.0)}


@pytest.mark.parametrize(
    ("stage", "seconds", "like"),
    [
        ("cluster@small", 10.0, ""),  # it ran itself
        ("report", 3.0, ""),
        ("cluster@new", 16.0, "cluster@small"),  # by seconds of music; the nearest in size
        ("cluster@mine", 64.0, "cluster@large"),  # by clips: 0.4 is nearer than 4, and 100 s times .4 + .6 x 0.4
        ("embed@new-short", 50 * (0.4 + 0.6 * 200 / 5000), "embed@large-short"),
        ("embed@new-fcn", None, ""),  # another tagger is no like
        ("cluster@away", None, ""),  # a dataset of unknown size
        ("train@short", None, ""),
        ("space", None, ""),
    ],
)
def test_a_stage_that_never_ran_takes_what_its_like_took_by_size(stage, seconds, like):
    assert estimate.estimate(stage, KNOWN, SIZES) == (seconds and pytest.approx(seconds), like)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0.1, 1e5))
def test_it_grows_with_the_music(n, other, seconds):
    found = estimate.estimate("audio@a", {"audio@b": seconds}, {"a": (n, None), "b": (other, None)})
    assert found.seconds == pytest.approx(seconds * (0.4 + 0.6 * n / other))


def test_what_raw_does_depends_on_the_dataset():
    assert estimate.estimate("raw@a", {"raw@b": 90.0}, {"a": (9, None), "b": (9, None)}).seconds is None


def test_only_a_run_that_came_to_its_end_counts():
    line = {"what": "stage", "stage": "report", "run": "1", "time": "x"}
    entries = [
        line | {"state": "ran", "seconds": 4.0},
        line | {"state": "ran", "seconds": 5.0},
        line | {"state": record.FAILED, "seconds": 1.0},
        line | {"state": record.FRESH},
    ]
    assert estimate.took(entries) == {"report": 5.0}


def test_the_size_of_a_dataset(in_tmp, songs):
    root, _ = songs
    Path("data/manifests").mkdir(parents=True)
    pd.DataFrame({"duration_s": [1.5, 2.5]}).to_parquet("data/manifests/read.parquet")
    Path("data/manifests/damaged.parquet").write_bytes(b"PAR1")
    folder = {"module": "folder", "fingerprint": "0"}
    found = estimate.sizes(
        {
            "read": folder | {"path": "/nowhere"},
            "damaged": {},
            "new": folder | {"path": str(root)},
            "away": folder | {"path": "/nowhere"},
            "built": {"module": "scores"},
        }
    )
    assert found["read"] == (2, 4.0) and set(found) == {"read", "new"}
    assert found["new"][0] > 5 and found["new"][1] is None


def test_the_plan_of_a_run_has_the_summaries_that_follow_it(in_tmp, monkeypatch):
    from pipelines.ops.dvc import freshness
    from pipelines.ops.dvc.freshness import FRESH, NEVER, STALE, State

    found = {
        "fit@a": State(STALE, ("code changed",)),
        "score@a": State(STALE, ("after fit@a",), ("fit@a",)),
        "score@b": State(STALE, ("code changed",)),
        "compare": State(STALE, ("after score@a", "after score@b"), ("score@a", "score@b")),
        "task_page@one": State(STALE, ("after compare",), ("compare",)),
        "task_page@two": State(STALE, ("after score@b",), ("score@b",)),
        "task_page@three": State(FRESH),
        "task_page@four": State(NEVER),
        "report": State(NEVER),
    }
    monkeypatch.setattr(freshness, "states", lambda: found)
    monkeypatch.setattr(due, "load_params", lambda: {"datasets": {}})
    after = ["compare", *(name for name in found if name.startswith("task_page@")), "task_page@unknown"]
    planned = [name for name, *_ in due.plan("", ["score@a"], after)]
    # nothing that the run makes changes what task_page@two reads
    assert planned == ["fit@a", "score@a", "compare", "task_page@one", "task_page@four"]
    assert [name for name, *_ in due.plan("", ["score@a"])] == ["fit@a", "score@a"]


def test_the_dry_run_says_what_its_total_covers(in_tmp, capsys, monkeypatch):
    from pipelines.ops import run_command

    planned = [
        ("raw@a", "code changed", estimate.Estimate(90.0, "")),
        ("raw@b", "", estimate.Estimate(45.0, "raw@a")),
        ("train@fcn", "", estimate.Estimate(None, "")),
    ]
    monkeypatch.setattr(due, "plan", lambda dataset, targets, after: planned)
    run_command._say_plan([], "")
    lines = [re.sub(" +", " ", line).strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "raw@a 1 min 30 s code changed",
        "raw@b about 45 s by raw@a",
        "train@fcn unknown",
        "3 stages, about 2 min 15 s plus unknown times: 1 of them took 1 min 30 s in their last run here; 1 takes about "
        "45 s, by the same stages of other datasets; the time of 1 is unknown.",
    ]
