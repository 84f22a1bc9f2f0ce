"""Class maps against the course's published table and the groups of General MIDI, and drum patterns."""

import numpy as np
import pandas as pd

from pipelines.symbolic import class_maps, drums

PUBLISHED = (
    "Piano*8 Percussion*8 Organ*8 Guitar*8 Bass*8 Strings*12 Voice*3 Strings*1 Wind*24 Synth*24 Strings*4 Piano*1 Wind*1 "
    "Strings*1 Wind*1 Percussion*8 Synth*8 Percussion*1"
)
"""The values of idx2instrument_class.json, programs 0 to 128, with "Wind instruments" as Wind."""


def test_course9_is_the_published_table():
    runs = [part.split("*") for part in PUBLISHED.split()]
    published = [name.lower() for name, n in runs for _ in range(int(n))]
    assert [class_maps.MAPS["course9"][program] for program in range(129)] == published
    assert len(set(published)) == 9


def test_slakh13_has_thirteen_classes_and_leaves_effects_out():
    found = class_maps.MAPS["slakh13"]
    assert len(set(found.values())) == 13 and set(found) == {*range(96), 128}
    assert [found[program] for program in (0, 11, 52, 73, 95, 128)] == [
        "piano", "chromatic percussion", "ensemble", "pipe", "synth pad", "drums",
    ]  # fmt: skip


def test_events_of_a_class_join_its_programs_and_leave_out_others():
    notes = pd.DataFrame(
        {"path": "a", "program": [56, 73, 120], "onset_s": [0.0, 1.0, 5.0], "offset_s": [1.0, 2.0, 6.0]}
    )
    found = class_maps.activity(notes)
    spans = {(row.target, row.label): (row.onset_s, row.offset_s) for row in found.itertuples()}
    assert spans == {
        ("course9", "wind"): (0.0, 2.0),
        ("course9", "synth"): (5.0, 6.0),
        ("slakh13", "brass"): (0.0, 1.0),
        ("slakh13", "pipe"): (1.0, 2.0),
    }


def test_patterns_fill_bars_and_have_a_hit_on_each_half_beat():
    for beats, patterns in drums.PATTERNS.items():
        for pattern in patterns:
            assert {len(line) for line in pattern.values()} == {beats * drums.STEPS}
            together = ["".join(column).strip(".") for column in zip(*pattern.values(), strict=True)]
            assert all(together[:: drums.STEPS // 2]), pattern
    hits = drums.play(3, 0.6, 5.0, np.random.default_rng(1))
    assert (hits["onset_s"] + hits["duration_s"]).max() <= 5.0 and set(hits["voice"]) == {drums.VOICE}
    assert np.allclose(hits["onset_s"] / 0.15, np.rint(hits["onset_s"] / 0.15))
