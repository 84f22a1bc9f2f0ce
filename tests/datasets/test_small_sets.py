"""real_notes, NSynth, ESC-50 and TinySOL: labels, groups and splits from their published layouts, and their known defects."""

import json
from pathlib import Path

import librosa
import pytest
import small_sets

from pipelines import datasets
from pipelines.datasets import esc50, notes, nsynth, real_notes, tinysol
from pipelines.ops.settings import datasets as section
from pipelines.ops.settings.recipe import Reads


def built(entry):
    raw_dir = Path("raw")
    raw_dir.mkdir(exist_ok=True)
    module = datasets.load(entry)
    figures = module.build(raw_dir, entry)
    return module.clips(raw_dir, entry), figures


def test_names_of_notes_are_scientific_pitch_notation():
    for name in ("A0", "C4", "As3", "Fs6", "C8"):
        assert real_notes.midi_number(name) == librosa.note_to_midi(name.replace("s", "#"))
    assert [real_notes.midi_number(name) for name in ("H2", "As", "silence", "a3", "Bb3")] == [None] * 5


def test_families_are_those_of_the_rendered_notes():
    families = {family for family, *_ in real_notes.INSTRUMENTS.values()} | set(tinysol.FAMILY.values())
    assert families <= set(notes.FAMILIES) == set(nsynth.FAMILIES)


def test_real_notes(in_tmp):
    clips, figures = built(small_sets.make_real_notes(in_tmp / "original"))
    assert sorted(clips["target_pitch"]) == sorted(["57", "70", "72", "34", "50", "60", "63"])
    assert clips.groupby("target_family")["group"].unique().map(list).to_dict() == {
        "brass": ["tuba"], "keyboard": ["piano"], "string": ["violin"],
    }  # fmt: skip
    assert figures["instruments"] == 3 and figures["left out"] == {"files not named after a note": 3}


def test_real_notes_that_are_not_there(in_tmp):
    entry = small_sets.make_real_notes(in_tmp / "original")
    with pytest.raises(ValueError, match="has no notes of harp: put <instrument>/<note>.mp3"):
        built(entry | {"instruments": ["harp", "tuba"]})
    with pytest.raises(ValueError, match="instruments: banjo in params.yaml; there is bass-electric"):
        built(entry | {"instruments": ["banjo"]})


def test_nsynth(in_tmp):
    clips, figures = built(small_sets.make_nsynth(in_tmp / "original"))
    clips = clips.set_index(clips["path"].map(lambda path: Path(path).stem))
    assert len(clips) == len(small_sets.NSYNTH)
    for name, (side, source, family, qualities) in small_sets.NSYNTH.items():
        clip = clips.loc[name]
        assert (clip["split"], clip["target_source"], clip["target_family"]) == (side, source, family)
        assert list(clip["tags"]) == qualities and clip["group"] == clip["target_instrument"] == name[:-8]
        assert clip["target_pitch"] == str(int(name[-7:-4]))
    assert figures["known defects"] == {
        "notes of brass_acoustic_046, which are noise": 1,
        "notes that share a waveform": 2,
        "notes that share the most frequent waveform": 2,
        "pitches outside 21 to 108": 2,
    }


def test_nsynth_without_its_defects(in_tmp):
    entry = small_sets.make_nsynth(in_tmp / "original") | {"defects": "leave_out", "sides": ["test"]}
    clips, figures = built(entry)
    assert sorted(clips["target_pitch"]) == ["109", "70"] and set(clips["split"]) == {"test"}
    assert figures["left out"] == {"noise, or a waveform that another note has": 2}
    reeds, _ = built(entry | {"families": ["brass"], "defects": "keep"})
    assert set(reeds["target_family"]) == {"brass"}


def test_nsynth_that_is_not_whole(in_tmp):
    entry = small_sets.make_nsynth(in_tmp / "original")
    with pytest.raises(ValueError, match="no published checksums.*local: <folder>"):
        built({"module": "nsynth"})
    (in_tmp / "original/nsynth-test/audio/reed_acoustic_011-109-075.wav").unlink()
    clips, _ = built(entry)
    (problem,) = set(clips["problem"]) - {""}
    assert "011-109-075.wav is missing: unpack nsynth-test again" in problem
    path = in_tmp / "original/nsynth-valid/examples.json"
    path.write_text(json.dumps({"a-001-002": {"pitch": 1}}))
    with pytest.raises(ValueError, match=r"nsynth-valid/examples.json: a-001-002 has no instrument_str, "):
        built(entry)
    path.write_text('{"a-001-002": {"pit')
    with pytest.raises(ValueError, match="no JSON .* unpack it again"):
        built(entry)
    path.unlink()
    with pytest.raises(ValueError, match="or leave validation out of `sides`"):
        built(entry)


@pytest.mark.parametrize(("fold", "sides"), [(1, "test validation train"), (5, "validation train test")])
def test_esc50(fold, sides, in_tmp):
    clips, _ = built(small_sets.make_esc50(in_tmp / "original") | {"fold": fold})
    by_fold = clips.set_index(clips["source"].str.extract(r"fold (\d)")[0])["split"]
    assert [by_fold["1"], by_fold["2"], by_fold["5"]] == sides.split()
    assert clips["group"].value_counts().to_dict()["recording 144028"] == 2
    assert clips["target_major"].tolist() == ["animals", "natural", "human", "human", "interior", "exterior"]


def test_esc10_and_rows_that_are_wrong(in_tmp):
    entry = small_sets.make_esc50(in_tmp / "original")
    clips, figures = built(entry | {"subset": "esc10"})
    assert len(clips) == 4 and figures["left out"] == {"not in ESC-10": 2}
    path = in_tmp / "original/meta/esc50.csv"
    path.write_text(path.read_text().replace(",2,10,", ",6,10,"))
    with pytest.raises(ValueError, match=r"esc50.csv, line 3: fold '6', target '10'"):
        built(entry)


def test_every_clip_of_esc50_is_tested_once():
    for clip in esc50.FOLDS:
        assert [esc50.side(clip, tested) for tested in esc50.FOLDS].count("test") == 1
    for clip in tinysol.FOLDS:
        assert [tinysol.side(clip, tested) for tested in tinysol.FOLDS].count("validation") == 1


def test_tinysol(in_tmp):
    entry = small_sets.make_tinysol(in_tmp / "original")
    clips, figures = built(entry)
    assert set(clips["split"]) == {"all"} and figures["notes made by shifting the pitch of another"] == 1
    assert clips["target_family"].tolist() == ["string", "string", "brass", "organ", "flute"]
    assert clips["target_pitch"].tolist() == ["67", "69", "29", "60", "72"]
    assert clips["group"].tolist()[:2] == ["Violin", "Violin"] and set(clips["target_dynamics"]) == {"ff", "pp", "mf"}
    clips, _ = built(entry | {"fold": 4})
    assert clips["split"].tolist() == ["validation", "train", "train", "train", "test"]


def test_a_line_of_tinysol_that_is_wrong(in_tmp):
    entry = small_sets.make_tinysol(in_tmp / "original")
    path = in_tmp / "original/TinySOL_metadata.csv"
    path.write_text(path.read_text().replace(",Acc,", ",Kazoo,").replace(",29,", ",low,"))
    clips, figures = built(entry)
    assert figures["unusable"] == 2
    assert set(clips["problem"]) - {""} == {
        "no instrument 'Kazoo' in TinySOL: download the table again",
        "pitch 'low', fold '2': no numbers; download the table again",
    }


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"module": "esc50", "fold": 6}, "datasets.x.fold in params.yaml is 6, and must be 1 or 2"),
        ({"module": "tinysol", "fold": -1}, "must be 0 or 1"),
        ({"module": "nsynth", "sides": ["valid"]}, "a list of train, validation, test"),
        ({"module": "real_notes", "instrument": ["harp"]}, "do you mean instruments"),
    ],
)
def test_settings(entry, message):
    with pytest.raises(SystemExit, match=message):
        section.check({"x": entry | {"imports": "pipelines/datasets/sources"}}, Reads())
