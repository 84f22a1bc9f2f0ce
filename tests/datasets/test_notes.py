"""The notes: every combination once, groups by shared samples, levels that tell nothing, and silence that is quarantined."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from pipelines.core.manifest import NOTES
from pipelines.core.tables import read_table
from pipelines.datasets import notes
from pipelines.harness import executor
from pipelines.symbolic import soundfonts

ENTRY = {
    "module": "notes",
    "lowest": 60,
    "highest": 84,
    "step": 24,
    "velocities": [25],
    "duration_s": 1.2,
    "sample_rate": 16_000,
    "split": {"train": 0.6, "validation": 0.15, "test": 0.25},
    "seed": 2026,
    "silence_dbfs": -60.0,
}
FULL = ENTRY | {"lowest": 36, "step": 4, "velocities": [25, 50, 75, 100, 127], "duration_s": 2.0}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """(raw_dir, figures) of 168 notes, built in this process."""
    raw_dir = tmp_path_factory.mktemp("notes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "n_workers", lambda wanted=0: 1)
        return raw_dir, notes.build(raw_dir, ENTRY)


def test_every_combination_is_one_note(built):
    raw_dir, figures = built
    table = notes.clips(raw_dir, ENTRY)
    assert len(table) == figures["notes"] == 84 * 2
    assert set(table["target_pitch"]) == {"60", "84"} and set(table["target_family"]) == set(notes.FAMILIES)
    sounding = read_table(raw_dir / "notes.parquet", NOTES)
    assert set(sounding["path"]) == set(table["path"]) and set(sounding["program"]) == set(notes.FAMILY)


def test_the_preset_has_5000_notes_of_58_timbres_and_each_family_on_both_sides():
    frame = notes.plan(FULL, soundfonts.default())
    assert len(frame) >= 5000 and frame["program"].nunique() == 84 and frame["group"].nunique() == 58
    assert (frame.groupby("group")["split"].nunique() == 1).all()
    sides = frame.groupby("target_family")["split"].agg(set)
    assert all({"train", "test"} <= found for found in sides)
    assert [family for family, found in sides.items() if "validation" not in found] == ["vocal"], "it has two groups"
    shares = frame["split"].value_counts(normalize=True)
    assert all(abs(shares[side] - share) < 0.05 for side, share in FULL["split"].items())


def test_a_note_has_its_pitch_and_its_level(built):
    raw_dir, _ = built
    sound, rate = soundfile.read(raw_dir / "audio/flute/073-060-025.flac")
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    harmonics = np.arange(1, 4) * 440 * 2 ** ((60 - 69) / 12)
    near = [spectrum[round(f * len(sound) / rate) - 3 : round(f * len(sound) / rate) + 4].max() for f in harmonics]
    assert max(near) == spectrum.max()
    low, high = notes.PEAKS_DBFS
    peaks = [20 * np.log10(np.abs(soundfile.read(path)[0]).max()) for path in sorted(raw_dir.glob("audio/*/*.flac"))]
    assert len(sound) == rate * 1.2 and sum(low - 1 < peak < high + 1 for peak in peaks) == 166, "two are silent"
    end = soundfile.read(raw_dir / "audio/mallet/012-084-025.flac")[0][-1600:]
    assert np.unique(end).size > 1, "no digital silence after the note"


def test_silent_notes_have_a_reason(built):
    raw_dir, figures = built
    table = read_table(raw_dir / "clips.parquet", notes.CLIPS)
    silent = table["problem"] != ""
    assert figures["quarantined as silent"] == silent.sum() == 2
    pd.testing.assert_series_equal(silent, table["peak_dbfs"] < -60, check_names=False)
    assert (table.loc[silent, "problem"] == "silent: its peak is below -60 dBFS as rendered").all()


def test_the_same_entry_gives_the_same_samples_in_any_order():
    font = soundfonts.default()
    row = notes.plan(ENTRY, font)
    first, last = (notes._note(font, each, 1) for each in (row.iloc[0], row.iloc[-1]))
    before, _ = notes.play(first, 16_000, 1.2, font)
    notes.play(last, 16_000, 1.2, font)
    again, _ = notes.play(first, 16_000, 1.2, font)
    assert np.array_equal(before, again) and not np.array_equal(before, notes.play(last, 16_000, 1.2, font)[0])


def test_a_font_without_a_program_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(notes.soundfont_samples, "samples", lambda font, keys: {0: frozenset({1})})
    with pytest.raises(ValueError, match="has no sample for the programs .*1, 2, .*General MIDI SoundFont"):
        notes.timbres(tmp_path / "small.sf2", (36, 84))
