"""Scores of runs: against SciPy's bootstrap, closed forms, and what must hold of any two runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.metrics import scores
from pipelines.metrics.scores import Metric

ACCURACY = Metric(lambda columns: float(np.mean(columns["actual"] == columns["predicted"])), chance=lambda columns: 0.5)
ERROR = Metric(lambda columns: float(np.mean(columns["actual"] != columns["predicted"])), higher_is_better=False)


def answers(right, groups=None):
    """Columns of units that were answered rightly (True) or not."""
    right = np.asarray(right, dtype=bool)
    unit = np.array([f"clip {number:04d}" for number in range(len(right))])
    actual = np.where(np.arange(len(right)) % 2 == 0, "a", "b")
    predicted = np.where(right, actual, "neither")
    return {
        "unit": unit,
        "group": unit if groups is None else np.asarray(groups, dtype=str),
        "actual": actual,
        "predicted": predicted,
    }


def scored(*trainings, metrics=None, baseline=None):
    metrics = metrics or {"accuracy": ACCURACY}
    baseline = baseline or answers(np.arange(len(trainings[0]["unit"])) % 2 == 0, trainings[0]["group"])
    return scores.score(metrics, trainings, baseline, "test", 2000, 7)


def test_the_interval_is_that_of_scipy():
    right = np.random.default_rng(0).random(200) < 0.7
    entry = scored(answers(right))[0]["accuracy"]
    reference = stats.bootstrap((right.astype(float),), np.mean, method="percentile", n_resamples=5000, rng=1)
    assert entry["value"] == right.mean() and (entry["n"], entry["n_groups"]) == (200, 200)
    assert entry["ci95"] == pytest.approx(list(reference.confidence_interval), abs=0.012)


def test_whole_groups_are_drawn():
    """Ten clips of each of 20 works, all right or all wrong: the interval is that of 20 works, not of 200 clips."""
    right = np.repeat(np.random.default_rng(0).random(20) < 0.5, 10)
    by_clip = scored(answers(right))[0]["accuracy"]["ci95"]
    by_work = scored(answers(right, np.repeat(np.arange(20), 10)))[0]["accuracy"]["ci95"]
    ratio = (by_work[1] - by_work[0]) / (by_clip[1] - by_clip[0])
    assert ratio == pytest.approx(np.sqrt(10), rel=0.15)


def test_baseline_chance_and_gain():
    entry = scored(answers(np.ones(100)))[0]["accuracy"]
    assert (entry["value"], entry["baseline"], entry["chance"]) == (1.0, 0.5, 0.5)
    assert entry["gain_ci95"] == pytest.approx([0.4, 0.6], abs=0.02), "the baseline's own error: sqrt(.25 / 100)"


def test_the_spread_over_trainings_widens_what_is_gained():
    n = 100
    one, two, three = (answers(np.arange(n) < count) for count in (60, 70, 80))
    entry = scored(one, two, three)[0]["accuracy"]
    assert entry["trainings"] == [0.6, 0.7, 0.8] and entry["value"] == pytest.approx(0.7)
    assert entry["sd_trainings"] == pytest.approx(0.1)
    same = scored(two, two, two)[0]["accuracy"]
    wider, narrow = (np.diff(found["gain_ci95"])[0] for found in (entry, same))
    assert same["sd_trainings"] == 0 and wider > narrow
    assert scored(one)[0]["accuracy"]["sd_trainings"] is None


@given(st.floats(-5, 5), st.floats(0.1, 2), st.floats(0.1, 2), st.floats(0, 4))
def test_independent_errors_add_as_variances(value, below, above, variance):
    low, high = scores.widened([value - below, value + above], value, variance)
    assert value - low == pytest.approx(np.hypot(below, 1.96 * np.sqrt(variance)))
    assert high - value == pytest.approx(np.hypot(above, 1.96 * np.sqrt(variance)))


def test_differences_are_paired():
    """Both runs fail on the same 90 clips, and one on ten more: their intervals overlap, that of the difference excludes zero."""
    n = 200
    a, b = answers(np.arange(n) < 110), answers(np.arange(n) < 100)
    (found_a, drawn_a), (found_b, drawn_b) = scored(a), scored(b)
    found = scores.difference(found_a["accuracy"], found_b["accuracy"], drawn_a["accuracy"], drawn_b["accuracy"])
    assert found_a["accuracy"]["ci95"][0] < found_b["accuracy"]["ci95"][1]
    assert found["value"] == pytest.approx(0.05) and found["ci95"][0] > 0 and found["better"] == "a"
    assert not found["over_trainings"]
    back = scores.difference(found_b["accuracy"], found_a["accuracy"], drawn_b["accuracy"], drawn_a["accuracy"])
    assert back["better"] == "b" and back["ci95"] == pytest.approx([-edge for edge in reversed(found["ci95"])])


def test_of_an_error_the_lower_one_is_better():
    a, b = (scored(answers(np.arange(100) < count), metrics={"error": ERROR}) for count in (90, 40))
    found = scores.difference(a[0]["error"], b[0]["error"], a[1]["error"], b[1]["error"])
    assert found["value"] < 0 and found["better"] == "a"


def test_a_run_does_not_differ_from_itself():
    entry, drawn = scored(answers(np.arange(50) % 3 == 0))
    found = scores.difference(entry["accuracy"], entry["accuracy"], drawn["accuracy"], drawn["accuracy"])
    assert found["ci95"] == [0.0, 0.0] and found["better"] is None


def test_several_trainings_can_make_a_difference_uncertain():
    """One point over units; trainings of either run lie five apart."""
    n = 400
    a = [answers(np.arange(n) < count) for count in (180, 204, 228)]
    b = [answers(np.arange(n) < count) for count in (176, 200, 224)]
    (found_a, drawn_a), (found_b, drawn_b) = scored(*a), scored(*b)
    found = scores.difference(found_a["accuracy"], found_b["accuracy"], drawn_a["accuracy"], drawn_b["accuracy"])
    assert found["over_trainings"] and found["better"] is None
    single = scores.difference(
        *(scored(each[1])[0]["accuracy"] for each in (a, b)), drawn_a["accuracy"], drawn_b["accuracy"]
    )
    assert single["better"] == "a"
    fixed, spread = scored(b[1])[0]["accuracy"], found_a["accuracy"]
    one_side = scores.difference(spread, fixed, drawn_a["accuracy"], drawn_b["accuracy"])
    assert one_side["better"] is None and not one_side["over_trainings"], "the spread of one run alone counts too"


def test_three_groups_have_no_interval():
    entry, drawn = scored(answers(np.ones(9), np.repeat(np.arange(3), 3)))
    assert entry["accuracy"]["ci95"] is None and entry["accuracy"]["gain_ci95"] is None and drawn == {}
    assert scores.difference(entry["accuracy"], entry["accuracy"], None, None)["better"] is None


def test_other_units_are_refused():
    with pytest.raises(ValueError, match="same units"):
        scored(answers(np.ones(8)), answers(np.ones(9)))
    assert scores.fingerprint(answers(np.ones(8))) == scores.fingerprint(answers(np.zeros(8)))
    assert scores.fingerprint(answers(np.ones(8))) != scores.fingerprint(answers(np.ones(8), np.arange(8) // 2))
