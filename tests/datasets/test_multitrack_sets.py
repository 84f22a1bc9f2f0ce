"""Slakh, MUSDB18-HQ and MedleyDB: splits, stems that add up, exact notes, what cannot be used, and the audit of duplicates."""

import json
import re
from pathlib import Path

import mido
import multitrack_sets
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from multitrack_sets import RATE, midi, noise

from pipelines.core import stem_files, stems
from pipelines.core.manifest import QUARANTINE
from pipelines.core.tables import write_table
from pipelines.datasets import medleydb, musdb18, slakh
from pipelines.datasets.sources import same_notes, slakh_tracks
from pipelines.stages import manifest

PUBLISHED = Path(__file__).parent / "published/slakh/duplicates.json"


def build(module, entry, raw_dir):
    """(figures, clips by title, table of stems)"""
    raw_dir.mkdir()
    figures = module.build(raw_dir, entry)
    return figures, module.clips(raw_dir, entry).set_index("title"), stems.read(raw_dir / "stems")


@pytest.fixture(scope="module")
def of_slakh(tmp_path_factory):
    """(entry, raw_dir, figures, clips, stems) of the original split."""
    root = tmp_path_factory.mktemp("slakh")
    entry = multitrack_sets.make_slakh(root / "slakh") | {"split": "original"}
    return entry, root / "raw", *build(slakh, entry, root / "raw")


def test_the_published_duplicates_give_the_published_counts():
    """slakh-utils: 308 groups, 146 of them across the original split, 57 of 225 test tracks with their file in train, and
    1,289, 270 and 151 tracks of redux."""
    file = {number: f"file {group[0]}" for group in json.loads(PUBLISHED.read_text()) for number in group}
    tracks = [slakh_tracks.Track(f"Track{n:05d}", file.get(n, f"file {n}")) for n in range(1, 2101)]
    sides = [slakh.side_of(track.name) for track in tracks]
    assert [sides.count(side) for side in slakh.LAST] == [1500, 375, 225]
    found = same_notes.audit([track.midi for track in tracks], sides)
    assert found == {
        "groups of duplicates": 308,
        "groups of duplicates on two sides": 146,
        "test tracks": 225,
        "test tracks also in train": 57,
        "test tracks also in train or validation": 70,
    }
    redux = [slakh.side_of(track.name) for track in slakh.first_of_each(tracks)]
    assert [redux.count(side) for side in slakh.LAST] == [1289, 270, 151]
    assert sum(map(len, slakh.PROBLEMS.values())) == 22


def test_the_audit_finds_the_same_file_and_the_same_notes(of_slakh):
    _, _, figures, clips, _ = of_slakh
    of_files, of_notes = figures["by MIDI file, original split, all tracks"], figures["by notes, tracks and split used"]
    assert of_files["groups of duplicates"] == 1 and of_files["test tracks also in train"] == 1
    assert of_notes["groups of duplicates"] == 2 and of_notes["groups of duplicates on two sides"] == 2
    assert of_notes["test tracks also in train"] == 1 and of_notes["test tracks also in train or validation"] == 2
    assert clips["group"]["Track00002"] == clips["group"]["Track01877"]
    assert clips["group"]["Track01501"] == clips["group"]["Track01878"] and clips["group"].nunique() == 5


def test_redux_uses_the_first_track_of_each_file(tmp_path):
    entry = multitrack_sets.make_slakh(tmp_path / "slakh") | {"limit": 2, "problems": "leave_out", "stems": ["bass"]}
    entry["targets"] = ["stem"]
    figures, clips, table = build(slakh, entry, tmp_path / "raw")
    assert clips["split"].to_dict() == {
        "Track00001": "train",
        "Track00002": "train",
        "Track01501": "validation",
        "Track01876": "test",
        "Track01878": "test",
    }
    assert figures["left out"] == {
        "tracks with the MIDI file of an earlier one": 1,
        "tracks above the limit": 1,
        "stems with a known problem": 1,
    }
    assert set(table["stem"]) == {"bass", "other"}
    assert set(slakh.events(tmp_path / "raw", entry)["target"]) == {"stem"}
    with pytest.raises(ValueError, match="stems: banjo in params.yaml; the tracks have bass, drums, guitar"):
        build(slakh, entry | {"stems": ["banjo"]}, tmp_path / "other")
    with pytest.raises(ValueError, match="slakh has no published split of these tracks: write split: {train"):
        build(slakh, entry | {"variant": "baby"}, tmp_path / "baby")


def test_stems_are_classes_that_add_up_with_the_exact_notes_of_each(of_slakh):
    entry, raw, figures, clips, table = of_slakh
    path = clips["path"]["Track00001"]
    assert table[table["path"] == path]["stem"].tolist() == ["bass", "drums", "guitar"]
    mixture, rate = soundfile.read(raw / path, dtype="int16")
    sounds = stems.signals(raw / "stems", table, path, ["bass", "drums", "guitar"]) * stems.FULL_SCALE
    assert rate == RATE and (sounds.sum(axis=0) == mixture).all()
    given = [soundfile.read(Path(entry["local"]) / "any/Track00001/stems" / f"S{n:02d}.flac")[0] for n in (0, 3)]
    np.testing.assert_allclose(sounds[2] / stems.FULL_SCALE, sum(given), atol=0.6 / stems.FULL_SCALE)
    found = slakh.events(raw, entry)
    own = found[found["path"] == path]
    notes = own[(own["target"] == "note") & (own["label"] == "bass")]
    # the tune of S01, whose last note is cut at the end of the sound
    rows = notes[["onset_s", "offset_s", "value"]].to_numpy()
    np.testing.assert_allclose(rows, [(0.1, 0.5, 45), (0.75, 1.1, 48), (1.5, 2.0, 50)], atol=0.002)
    assert set(own[own["target"] == "program"]["label"]) == {"30", "33", "25", "drums"}
    assert figures["notes that begin after the sound's end"] == 0 and figures["stems with a known problem"] == 2


@settings(max_examples=15)
@given(st.permutations(range(6)), st.integers(90, 960), st.integers(400_000, 900_000))
def test_the_hash_of_notes_sees_music_and_not_files(order, ticks, tempo):
    """The order, the resolution, the tempo that the file states, and the program make no difference; a pitch does."""
    tune = [(60 + n, 0.25 * n, 0.25 * n + 0.2) for n in range(6)]
    folder = Path("notes")

    def hashed(notes, name, **options):
        midi(folder / name, notes, **options)
        stem = slakh_tracks.Stem("S00", "piano", "0", folder, folder / name)
        return same_notes.note_hash(*slakh._of_hash(slakh_tracks.notes(slakh_tracks.Track("T", "", (stem,))).table))

    plain = hashed(tune, "a.mid")
    assert hashed([tune[n] for n in order], "b.mid", program=40, ticks=max(ticks, 200), tempo=tempo) == plain
    assert hashed([*tune[:5], (70, 1.25, 1.4)], "c.mid") != plain
    assert hashed(tune, "d.mid") == plain and len(plain) == 32


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


DEFECTS = {
    "S01.flac has 7999 samples and .*S00.flac 8000": lambda place: noise(place / "stems/S01.flac", 1, n=7999),
    "S01.flac has 8000 Hz and .*S00.flac 4000": lambda place: noise(place / "stems/S01.flac", 1, rate=8000),
    "S00.flac has 2000 Hz, less than 4000: write sample_rate: 2000": lambda place: noise(
        place / "stems/S00.flac", 1, rate=2000
    ),
    "S01.flac has 2 channels and .*S00.flac 1": lambda place: noise(place / "stems/S01.flac", 1, channels=2),
    "S01.flac is missing": lambda place: (place / "stems/S01.flac").unlink(),
    r"the sum of its stems clips, its peak would be \+\d": lambda place: [
        noise(place / f"stems/S0{n}.flac", 1, level=0.9) for n in range(2)
    ],
    "all its stems are silent": lambda place: [noise(place / f"stems/S0{n}.flac", 1, level=0) for n in range(2)],
    "S01.mid is missing": lambda place: (place / "MIDI/S01.mid").unlink(),
    "S01.mid cannot be read": lambda place: (place / "MIDI/S01.mid").write_bytes(b"MThd" + bytes(20)),
    "metadata.yaml is not as published": lambda place: (place / "metadata.yaml").write_text("stems: [1]"),
}


@pytest.fixture(scope="module")
def of_defects(tmp_path_factory):
    """(reason of each defect, stems by track) of tracks with a defect each, one with a silent stem, and one with none."""
    root = tmp_path_factory.mktemp("defects")
    with pytest.MonkeyPatch.context() as patch:
        names = [f"Track{n:05d}" for n in range(1, len(DEFECTS) + 3)]
        tracks = {name: (f"file {name}", n, [("Bass", 33), ("Piano", 0)]) for n, name in enumerate(names)}
        patch.setattr(multitrack_sets, "SLAKH", tracks)
        entry = multitrack_sets.make_slakh(root / "slakh")
    for name, spoil in zip(names, DEFECTS.values(), strict=False):
        spoil(root / "slakh/any" / name)
    noise(root / "slakh/any" / names[-2] / "stems/S01.flac", 1, level=0)
    figures, *_ = build(slakh, entry, root / "raw")
    assert figures["unusable"] == len(DEFECTS) and figures["silent stems left out"] == {"piano": 1}
    good, bad = manifest.build(slakh.clips(root / "raw", entry), root / "raw", {"workers": 1})
    write_table(bad, root / "q.parquet", QUARANTINE)
    found = manifest.events_of(slakh, root / "raw", entry, good, bad, "slakh")
    assert set(found["clip_id"]) == set(good["clip_id"])
    silent = found[(found["clip_id"] == good["clip_id"].iloc[0]) & (found["target"] == "stem")]
    assert good["title"].tolist() == names[-2:] and set(silent["label"]) == {"bass"}
    return dict(zip(DEFECTS, bad["reason"], strict=True))


@pytest.mark.parametrize("reason", DEFECTS)
def test_a_track_that_cannot_be_used_is_quarantined_with_its_reason(of_defects, reason):
    assert re.search(reason, of_defects[reason]), of_defects[reason]


def test_musdb18_has_its_split_its_defects_and_one_channel(tmp_path):
    entry = multitrack_sets.make_musdb18(tmp_path / "musdb")
    noise(tmp_path / "musdb/train/A Band - One/vocals.wav", 1, channels=2, level=0)
    (tmp_path / "musdb/train/A Band - Two/bass.wav").unlink()
    figures, clips, table = build(musdb18, entry, tmp_path / "raw")
    assert clips["split"].to_dict() == {
        "ANiMAL - Rockshow": "validation",
        "A Band - One": "train",
        "A Band - Two": "train",
        "Leaf - Wicked": "train",
        "B Band - Three": "test",
    }
    assert figures["known defects"] == {"Leaf - Wicked": "an electric guitar in drums"}
    assert figures["silent stems left out"] == {"vocals": 1} and figures["unusable"] == 1
    assert re.search(r"A Band - Two/bass.wav is missing", clips["problem"]["A Band - Two"])
    assert len(musdb18.VALIDATION) == 14
    sound = stems.signals(tmp_path / "raw/stems", table, "audio/test/B Band - Three.flac", ["drums"])[0]
    given = soundfile.read(tmp_path / "musdb/test/B Band - Three/drums.wav")[0].mean(axis=1)
    np.testing.assert_allclose(sound, given, atol=0.6 / stems.FULL_SCALE)
    left, *_ = build(musdb18, entry | {"defects": "leave_out"}, tmp_path / "left")
    assert left["clips"] == 4 and left["left out"] == {"songs with a known defect": 1}
    with pytest.raises(ValueError, match="is not MUSDB18-HQ. The compressed MUSDB18"):
        build(musdb18, entry | {"local": str(tmp_path / "raw")}, tmp_path / "none")


def test_medleydb_divides_artists_and_leaves_out_bleed(tmp_path):
    entry = multitrack_sets.make_medleydb(tmp_path / "medley")
    figures, clips, table = build(medleydb, entry, tmp_path / "raw")
    assert figures["left out"] == {"tracks with bleed": 1, "metadata without sound": 1} and len(clips) == 3
    assert clips["split"]["Ann Lee, One"] == clips["split"]["Ann Lee, Two"]
    own = table.groupby("path")["stem"].agg(list).to_dict()
    assert own["audio/AnnLee_One.flac"] == ["bass", "drums", "other", "vocals"]
    assert own["audio/CatRay_Air.flac"] == ["other"], "a cello with a double bass is neither of both"
    _, clips, table = build(medleydb, entry | {"bleed": "keep", "stems": "instruments"}, tmp_path / "each")
    assert len(clips) == 4 and set(table[table["path"] == "audio/CatRay_Air.flac"]["stem"]) == {
        "flute",
        "cello_and_double_bass",
    }
    with pytest.raises(ValueError, match="access is granted on request"):
        build(medleydb, {key: value for key, value in entry.items() if key != "local"}, tmp_path / "none")
    with pytest.raises(ValueError, match="write split: {train: 0.6"):
        build(medleydb, entry | {"split": "artist"}, tmp_path / "split")


def test_stems_of_a_higher_rate_are_resampled_and_made_quieter(tmp_path):
    """A sine keeps its frequency and gets the gain, whatever the rate of its file."""
    t = np.arange(2 * 44_100) / 44_100
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * t), 44_100)
    track = stem_files.Track(tmp_path, "a.flac", (("a", (tmp_path / "a.wav",)),), 16_000, gain_db=-6.0)
    (name,), sounds, silent = stem_files.read(track)
    expected = 0.5 * 10 ** (-6 / 20) * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    np.testing.assert_allclose(sounds[0, 200:-200] / stems.FULL_SCALE, expected[200:-200], atol=1e-3)
    assert name == "a" and sounds.shape == (1, 32_000) and not silent


def test_the_notes_of_the_miniature_are_those_that_mido_reads(of_slakh):
    """The fixture's own check: a MIDI file of it, read by another library."""
    entry, *_ = of_slakh
    file = mido.MidiFile(Path(entry["local"]) / "any/Track00001/MIDI/S01.mid")
    now, onsets = 0.0, []
    for message in file:
        now += message.time
        onsets += [(round(now, 2), message.note)] if message.type == "note_on" else []
    assert onsets == [(0.1, 45), (0.75, 48), (1.5, 50)]
