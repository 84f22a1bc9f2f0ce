"""Stems: their sum is the clip, nothing sounds where nothing is played, works on one side, and draws that the seed repeats."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import stems
from pipelines.core.files import sha256
from pipelines.core.manifest import NOTES
from pipelines.core.tables import read_table
from pipelines.datasets import multitracks
from pipelines.harness import executor
from pipelines.symbolic import drums, excerpt, instruments

ENTRY = {
    "module": "multitracks",
    "clips": 6,
    "instruments": "fixed",
    "absent": 0.25,
    "muted": 0.3,
    "level_db": 3.0,
    "duration_s": 4.0,
    "sample_rate": 8000,
    "split": {"train": 0.5, "validation": 0.17, "test": 0.33},
    "seed": 2026,
}
WIDE = [*instruments.FAMILIES, *instruments.FURTHER]


def build(raw_dir, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "n_workers", lambda wanted=0: 1)
        multitracks.build(raw_dir, ENTRY | options)
    return raw_dir


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("multitracks"))


def test_a_clip_is_the_sum_of_its_stems_to_the_bit(built):
    table = stems.read(built / "stems")
    assert set(table["stem"]) == set(multitracks.VOICES) and len(table) < 24, "some voices are absent"
    for path, rows in table.groupby("path"):
        mixture, rate = soundfile.read(built / path, dtype="int16")
        sounds = np.load(built / "stems" / rows["shard"].iloc[0])
        assert rate == 8000 and len(mixture) == 32_000 and (sounds.sum(axis=0) == mixture).all()
        assert np.abs(mixture).max() <= 32768 * 10 ** (-1 / 20) + 2
        read = stems.signals(built / "stems", table, path, ["alto", "nobody"])
        assert read.dtype == np.float32 and not read[1].any()
        assert read[0].any() == ("alto" in set(rows["stem"]))


def test_nothing_sounds_before_a_stems_first_note(built):
    """Exact notes: before the onset there is silence, after it sound."""
    table, found = stems.read(built / "stems"), multitracks.events(built, ENTRY)
    first = found[found["target"] == "stem"].groupby(["path", "label"])["onset_s"].min()
    assert (first > 0.05).any()
    for (path, stem), onset in first.items():
        sound = stems.signals(built / "stems", table, path, [stem])[0]
        at = round(onset * 8000)
        assert not sound[:at].any() and sound[at : at + 4000].any(), (path, stem)
    assert set(zip(table["path"], table["stem"], strict=True)) == set(first.index)
    notes = found[found["target"] == "note"]
    assert notes["value"].between(35, 97).all() and set(notes["label"]) == set(table["stem"])


def test_the_seed_repeats_every_byte_and_splits_select_of_the_same_draws(built, tmp_path):
    test = build(tmp_path, splits=["test"])
    clips = multitracks.clips(built, ENTRY).set_index("path")
    of_test = multitracks.clips(test, ENTRY).set_index("path")
    assert set(clips["split"]) == {"train", "validation", "test"} and set(of_test["split"]) == {"test"}
    assert clips[clips["split"] == "test"].equals(of_test)
    for path in of_test.index:
        assert sha256(test / path) == sha256(built / path)


def test_families_are_stems_and_one_program_plays_all_voices():
    rng = np.random.default_rng(0)
    programs, names = multitracks._instruments("families", rng, None)
    assert len(set(names)) == 4 and [instruments.FAMILY[p] for p in programs] == names
    programs, names = multitracks._instruments("one", rng, None)
    assert len(set(programs)) == 1 and tuple(names) == multitracks.VOICES
    drawn = [multitracks._instruments("families", rng, WIDE)[1] for _ in range(20)]
    assert {name for names in drawn for name in names} == set(WIDE)
    assert all(names.index("bass") == 3 for names in drawn if "bass" in names)
    with pytest.raises(ValueError, match="families in params.yaml names 'flute'; there are piano, "):
        multitracks._instruments("one", rng, ["flute"])
    with pytest.raises(ValueError, match="names 3, and 4 voices need as many at least"):
        multitracks._instruments("families", rng, ["organ", "pipe", "bass"])


def test_drums_play_in_a_stem_of_their_own_with_exact_hits(tmp_path):
    entry = {"instruments": "families", "families": WIDE, "drums": 1.0, "clips": 3, "muted": 0.0}
    raw = build(tmp_path, **entry)
    table, found = stems.read(raw / "stems"), multitracks.events(raw, ENTRY | entry)
    hits = read_table(raw / "drums.parquet", NOTES)
    assert set(hits["program"]) <= set(drums.KITS) and set(read_table(raw / "notes.parquet", NOTES)["voice"]) <= set(
        range(4)
    )
    for path, own in hits.groupby("path"):
        sound, onsets = stems.signals(raw / "stems", table, path, ["drums"])[0], np.unique(own["onset_s"])
        mixture, _ = soundfile.read(raw / path, dtype="int16")
        assert (np.load(raw / "stems" / Path(path).with_suffix(".npy")).sum(axis=0) == mixture).all()
        frames = np.rint(onsets[(onsets > 0.1) & (onsets < 3.8)] * 8000).astype(int)
        power = np.cumsum(sound.astype(float) ** 2)
        rise = (power[frames + 400] - power[frames]) / (power[frames] - power[frames - 400])
        assert np.median(rise) > 1.5, "it is louder after a hit than before"
    spans = (
        found[found["label"] == "drums"]
        .groupby("target")[["onset_s", "offset_s"]]
        .agg({"onset_s": "min", "offset_s": "max"})
    )
    assert set(spans.index) == {"stem", "instrument", "note", "program"} and (spans["onset_s"] == 0).all()
    assert len(found[found["target"] == "note"].query("label == 'drums'")) == len(hits)


def test_drums_that_no_clip_has_are_an_empty_table(tmp_path):
    raw = build(tmp_path, drums=1e-9, clips=3, splits=["test"])
    assert read_table(raw / "drums.parquet", NOTES).empty
    assert "drums" not in set(multitracks.events(raw, ENTRY | {"drums": 1e-9})["label"])


@given(st.integers(0, 10_000))
def test_muted_notes_end_where_the_span_begins(seed):
    rng = np.random.default_rng(seed)
    notes = np.zeros(12, excerpt.SOUND)
    notes["onset_s"], notes["duration_s"] = np.sort(rng.uniform(0, 8, 12)), rng.uniform(0.05, 3, 12)
    spans = multitracks._spans(8.0, 0.4, rng)
    kept = multitracks.mute(notes, spans)
    ends = kept["onset_s"] + kept["duration_s"]
    for start, end in spans:
        assert not ((kept["onset_s"] < end - 1e-9) & (ends > start + 1e-9)).any()
    free = [
        note
        for note in notes
        if all(note["onset_s"] + note["duration_s"] <= a or note["onset_s"] >= b for a, b in spans)
    ]
    assert set(kept["onset_s"]) >= {note["onset_s"] for note in free}


def test_stems_that_cannot_be_a_clip_are_refused(tmp_path):
    loud = np.full((2, 10), 20_000, np.int16)
    with pytest.raises(ValueError, match=r"a.flac: the sum of its stems clips, its peak would be \+1.7 dBFS"):
        stems.write_clip(tmp_path, "a.flac", ["x", "y"], loud, 8000)
    with pytest.raises(ValueError, match="each with a name of its own"):
        stems.write_clip(tmp_path, "a.flac", ["x", "x"], loud // 4, 8000)
    rows = [stems.write_clip(tmp_path, f"{rate}.flac", ["x"], loud[:1], rate)[0] for rate in (8000, 16_000)]
    stems.write_index(tmp_path, rows)
    with pytest.raises(ValueError, match=r"have the rates \[8000, 16000\] Hz"):
        stems.read(tmp_path / "stems")


def test_too_many_clips_are_refused(monkeypatch):
    monkeypatch.setattr(multitracks.corpus, "catalogue", lambda style: [])
    with pytest.raises(ValueError, match="there are 0 chorales of four voices, not 7"):
        multitracks.choose(7, 0)
