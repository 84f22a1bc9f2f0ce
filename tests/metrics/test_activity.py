"""F1 of segments and events against sed_eval's figures, and properties."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import events as time_events
from pipelines.metrics import activity

GOLDEN = Path(__file__).parent / "golden/activity"
EXPECTED = json.loads((GOLDEN / "sed_eval.json").read_text())
FILES = {
    "street_fold1": [("street_fold1_reference", "street_fold1_detected")],
    "office": [(f"office_snr0_{level}_v2", f"office_snr0_{level}_v2_detected") for level in ("high", "med")],
    "binary": [(f"binary{n}", f"binary{n}_detected") for n in (1, 2)],
    "mini_a": [("mini_reference", "mini_detected_a")],
    "mini_b": [("mini_reference", "mini_detected_b")],
}
EVENTS = {"onset": (0.2, None), "onset_offset": (0.2, 0.5), "narrow": (0.1, 0.5)}


def read(name):
    """File -> its events; a line is [file, [scene,]] onset, offset, label."""
    rows = [line.split("\t") for line in (GOLDEN / f"{name}.txt").read_text().splitlines()]
    table = pd.DataFrame(
        [(row[0] if len(row) > 3 else "", row[-1], float(row[-3]), float(row[-2])) for row in rows],
        columns=["file", "label", "onset_s", "offset_s"],
    )
    return {name: part for name, part in table.groupby("file")}, table.iloc[:0]


def clips(case):
    for pair in FILES[case]:
        (reference, none), (estimate, _) = map(read, pair)
        for name in sorted(set(reference) | set(estimate)):
            yield reference.get(name, none), estimate.get(name, none)


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_equals_sed_eval(case):
    found = {"segment": activity.add([activity.segments(*clip) for clip in clips(case)])}
    for name, (collar, share) in EVENTS.items():
        found[name] = activity.add([activity.events(*clip, collar, share) for clip in clips(case)])
    for name, expected in EXPECTED[case].items():
        assert activity.micro_f1(found[name]) == pytest.approx(expected["micro_f1"], abs=1e-12), name
        for label, (f1, n_reference, n_estimate) in expected["class_f1"].items():
            counts = found[name][label]
            assert (counts.reference, counts.estimate) == (n_reference, n_estimate), (name, label)
            # sed_eval says NaN where a label is nowhere found
            assert activity.f1(counts) == pytest.approx(0 if np.isnan(f1) else f1, abs=1e-12), (name, label)


@given(st.integers(0, 10_000), st.floats(0.05, 2))
def test_frames_and_events_are_one_another(seed, hop_s):
    active = np.random.default_rng(seed).random((30, 2)) < 0.4
    events = activity.from_frames(active, ["a", "b"], hop_s)
    assert (time_events.grid(events, ["a", "b"], 30, hop_s) == active).all()
    counted = activity.events(events, events)
    assert all(counts.hits == counts.reference == counts.estimate for counts in counted.values())
    by_segment = activity.segments(events, events, resolution_s=hop_s * 3)
    assert activity.micro_f1(by_segment) == activity.macro_f1(by_segment) == 1


def test_nothing_to_find():
    nothing = pd.DataFrame(columns=["label", "onset_s", "offset_s"])
    some = pd.DataFrame([("a", 0.0, 1.0)], columns=nothing.columns)
    assert np.isnan(activity.micro_f1(activity.events(nothing, nothing)))
    assert np.isnan(activity.macro_f1(activity.segments(nothing, nothing)))
    assert activity.micro_f1(activity.events(some, nothing)) == activity.micro_f1(activity.events(nothing, some)) == 0
    assert activity.macro_f1(activity.segments(some, nothing)) == 0
