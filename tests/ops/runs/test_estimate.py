"""How long a run takes: by what stages took here, and what never ran by its like of another dataset."""

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets import listing
from pipelines.ops import due, estimate, presets
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


PASS = {"features@a-log_mel": 34.1, "features@a-pooled": 3.3, "features@b-pooled": 9.0}
"""As measured on 768 clips: the first feature of a dataset computed both."""


@pytest.mark.parametrize(
    ("stages", "seconds"),
    [
        (["features@a-log_mel", "features@a-pooled"], [34.1, 3.3]),
        (["features@a-pooled"], [34.1]),  # now it computes itself
        (["features@b-pooled"], [9.0]),
    ],
)
def test_the_first_feature_that_runs_takes_the_time_of_the_pass(stages, seconds):
    assert [each.seconds for each in estimate.plan(stages, PASS, {}, {}, {}).values()] == seconds


def test_a_folder_that_has_grown_takes_longer_and_presets_state_what_has_not_run():
    known, stated = {"cluster@mine": 10.0, "fit@svm": 7.0}, {"fit@svm": (60.0, "p"), "fit@mlp": (30.0, "p")}
    found = estimate.plan(["cluster@mine", "fit@svm", "fit@mlp", "fit@own"], known, {}, {"mine": 11.0}, stated)
    assert (
        found["cluster@mine"].seconds == pytest.approx(10 * (0.4 + 0.6 * 11))
        and "11 times" in found["cluster@mine"].like
    )
    assert [found[f"fit@{name}"].seconds for name in ("svm", "mlp", "own")] == [7.0, 30.0, None]
    assert estimate.plan(["cluster@mine"], known, {}, {"mine": 1.0}, {})["cluster@mine"] == (10.0, "")


def test_the_minutes_of_a_preset_are_shared_by_its_stages():
    (preset, *_) = (each for each in presets.presets().values() if each.entries.get("runs"))
    settings = {section: dict(entries) for section, entries in preset.entries.items()}
    found = estimate.of_presets(settings)
    own = [found[stage][0] for stage in estimate.own_stages(preset)]
    assert sum(own) == pytest.approx(60 * preset.minutes) and preset.name in found[estimate.own_stages(preset)[0]][1]
    assert estimate.of_presets({}) == {}


def test_the_growth_of_a_folder_is_by_its_files(in_tmp, songs):
    root, _ = songs
    Path("data/manifests").mkdir(parents=True)
    pd.DataFrame({"clip_id": ["a"]}).to_parquet("data/manifests/mine.parquet")
    pd.DataFrame({"path": ["b"]}).to_parquet("data/manifests/mine.quarantine.parquet")
    entry = {"module": "folder", "fingerprint": "0", "path": str(root)}
    n = len(listing.scan(root))
    assert estimate.growth({"mine": entry, "new": entry, "built": {"module": "scores"}}) == {"mine": n / 2}


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
            "drawn": {"module": "multitracks", "clips": 96, "duration_s": 10.0},
        }
    )
    assert found["read"] == (2, 4.0) and found["drawn"] == (96, 960.0) and set(found) == {"read", "new", "drawn"}
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
    monkeypatch.setattr(due, "load_params", lambda: {"datasets": {}, "runs": {}})
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
        "45 s, by what is named beside it; the time of 1 is unknown.",
        "This is the time of one stage after another. A stage after others does not run if their outputs do not change.",
    ]
