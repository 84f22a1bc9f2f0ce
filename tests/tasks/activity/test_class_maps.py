"""Class maps against the course's published table and the groups of General MIDI."""

import pandas as pd
import pytest

from pipelines.tasks.activity.fit import class_maps

PUBLISHED = (
    "Piano*8 Percussion*8 Organ*8 Guitar*8 Bass*8 Strings*12 Voice*3 Strings*1 Wind*24 Synth*24 Strings*4 Piano*1 Wind*1 "
    "Strings*1 Wind*1 Percussion*8 Synth*8 Percussion*1"
)
"""The values of idx2instrument_class.json, programs 0 to 128, with "Wind instruments" as Wind."""


def test_course9_is_the_published_table():
    runs = [part.split("*") for part in PUBLISHED.split()]
    published = [name.lower() for name, n in runs for _ in range(int(n))]
    assert [class_maps.MAPS["course9"][str(program)] for program in [*range(128), "drums"]] == published
    assert len(set(published)) == 9


def test_slakh13_has_thirteen_classes_and_leaves_effects_out():
    found = class_maps.MAPS["slakh13"]
    assert len(set(found.values())) == 13 and set(found) == {*map(str, range(96)), "drums"}
    assert [found[str(program)] for program in (0, 11, 52, 73, 95, "drums")] == [
        "piano", "chromatic percussion", "ensemble", "pipe", "synth pad", "drums",
    ]  # fmt: skip


def test_events_of_a_class_join_its_programs_and_leave_out_others():
    rows = [("a", "56", 0.0, 1.0), ("a", "73", 1.0, 2.0), ("a", "120", 5.0, 6.0), ("b", "drums", 0.0, 1.0)]
    aligned = pd.DataFrame(rows, columns=["clip_id", "label", "onset_s", "offset_s"]).assign(target="program")
    assert class_maps.classes(aligned, "none") is aligned
    found = {name: class_maps.classes(aligned, name) for name in class_maps.MAPS}
    spans = {
        name: sorted(table[["clip_id", "label", "onset_s", "offset_s"]].values.tolist())
        for name, table in found.items()
    }
    assert spans == {
        "course9": [["a", "synth", 5.0, 6.0], ["a", "wind", 0.0, 2.0], ["b", "percussion", 0.0, 1.0]],
        "slakh13": [["a", "brass", 0.0, 1.0], ["a", "pipe", 1.0, 2.0], ["b", "drums", 0.0, 1.0]],
    }
    with pytest.raises(
        ValueError, match="class_map course9 is of events of General MIDI programs .* there is the label 'flute'"
    ):
        class_maps.classes(aligned.assign(label="flute"), "course9")
