"""The composers as sound: as many clips of each, whole works on one side, and nothing but the notes to tell them by."""

from collections import Counter

import numpy as np
import pytest
import soundfile

from pipelines import datasets
from pipelines.core.manifest import NOTES
from pipelines.core.tables import read_table
from pipelines.datasets import composers_audio
from pipelines.harness import executor
from pipelines.symbolic import composers

ENTRY = {
    "module": "composers_audio",
    "clips_per_composer": 3,
    "duration_s": 4.0,
    "sample_rate": 16_000,
    "split": {"train": 0.34, "validation": 0.33, "test": 0.33},
    "seed": 2026,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """raw_dir of three clips a composer, built in this process."""
    raw_dir = tmp_path_factory.mktemp("composers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "n_workers", lambda wanted=0: 1)
        composers_audio.build(raw_dir, ENTRY)
        return raw_dir


def test_as_many_clips_of_each_from_works_of_their_own(built):
    table = composers_audio.clips(built, ENTRY)
    assert list(table.columns) == [*datasets.CLIP_COLUMNS, "target_composer"]
    assert Counter(table["target_composer"]) == dict.fromkeys(composers.STYLES, 3)
    assert table["group"].nunique() == 12, "a clip of each of three works"
    sides = table.groupby("target_composer")["split"].agg(sorted)
    assert all(found == ["test", "train", "validation"] for found in sides)


def test_one_timbre_and_one_velocity(built):
    notes = read_table(built / "notes.parquet", NOTES)
    assert set(notes["program"]) == {composers_audio.PROGRAM} and set(notes["velocity"]) == {composers_audio.VELOCITY}
    assert set(notes["path"]) == set(composers_audio.clips(built, ENTRY)["path"])
    assert notes["onset_s"].min() >= 0 and (notes["onset_s"] + notes["duration_s"]).max() <= 4.0 + 1e-6


def test_levels_are_those_that_were_drawn(built):
    table = read_table(built / "clips.parquet", composers_audio.CLIPS)
    for clip in table.itertuples():
        sound, rate = soundfile.read(built / clip.path)
        assert (len(sound), rate) == (64_000, 16_000)
        level = 20 * np.log10(np.sqrt(np.mean(sound**2)))
        assert (np.abs(sound).reshape(-1, 100).max(axis=1) > 0).all(), "no digital silence"
        # less only where the peak would pass -1 dBFS
        assert level == pytest.approx(clip.level_dbfs, abs=0.1) or np.abs(sound).max() > 0.88


def test_more_clips_than_there_is_music(monkeypatch):
    monkeypatch.setattr(executor, "n_workers", lambda wanted=0: 1)
    few = {name: pieces[:1] for name, pieces in {"Bach": composers.pieces(["Bach"])}.items()}
    monkeypatch.setattr(composers, "pieces", lambda names: few[names[0]])
    with pytest.raises(ValueError, match="Bach: music for .* clips, not 500"):
        composers_audio._choose("Bach", ENTRY | {"clips_per_composer": 500}, np.random.default_rng(1))
