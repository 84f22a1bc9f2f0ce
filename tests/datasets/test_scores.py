"""The embedded dataset at a tiny size, and its draws and split at full size."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import datasets
from pipelines.core import splits
from pipelines.core.files import sha256
from pipelines.core.manifest import NOTES
from pipelines.core.tables import read_table
from pipelines.datasets import scores
from pipelines.harness import executor
from pipelines.symbolic import corpus, excerpt, instruments, labels, selection, soundfonts

ENTRY = {
    "module": "scores",
    "clips_per_style": 2,
    "duration_s": 30.0,
    "sample_rate": 16_000,
    "split": {"train": 0.6, "validation": 0.15, "test": 0.25},
    "seed": 57,  # quartets that are quick to parse
}
PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """(raw_dir, figures) of two clips a style, built in this process."""
    raw_dir = tmp_path_factory.mktemp("scores")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "n_workers", lambda wanted=0: 1)
        return raw_dir, scores.build(raw_dir, ENTRY)


@pytest.fixture(scope="session")
def clips(built):
    return scores.clips(built[0], ENTRY)


@pytest.fixture(scope="session")
def notes(built):
    return dict(list(read_table(built[0] / "notes.parquet", NOTES).groupby("path")))


def test_the_contract_is_kept(built, clips):
    assert list(clips.columns) == [*datasets.CLIP_COLUMNS, "target_style", "target_instrument_family"]
    assert len(clips) == 16
    assert Counter(clips["target_style"]) == dict.fromkeys(corpus.STYLES, 2)
    assert sorted(clips["path"]) == sorted(p.relative_to(built[0]).as_posix() for p in built[0].glob("audio/*/*.flac"))
    assert not clips[["title", "group", "source", "licence"]].isin([""]).any().any()
    assert clips["source"].str.startswith("music21 ").all()
    assert not clips["source"].str.contains("essenFolksong").any()
    assert built[1]["clips"] == 16
    json.dumps(built[1])


def test_files_are_exactly_as_long_as_asked(built, clips):
    for path in clips["path"]:
        info = soundfile.info(built[0] / path)
        assert (info.frames, info.samplerate, info.channels) == (480_000, 16_000, 1)
        assert (info.format, info.subtype) == ("FLAC", "PCM_16")


def test_notes_lie_within_the_clip_and_where_nothing_sounds_there_are_none(built, clips, notes):
    assert set(notes) == set(clips["path"])
    for path, played in notes.items():
        onset, end = played["onset_s"], played["onset_s"] + played["duration_s"]
        assert onset.min() >= 0
        assert end.max() <= 30 + 1e-9
        sound, rate = soundfile.read(built[0] / path)
        rms = 20 * np.log10(np.sqrt(np.mean(sound**2)))
        assert -27 < rms < -19
        assert np.abs(sound).max() < 0.9
        # the 100 ms after each onset sound; before the first note nothing does
        for start in onset:
            part = sound[int(start * rate) : int((start + 0.1) * rate)]
            assert np.abs(part).max() > 0.002, f"{path}: no sound at {start:.2f} s"
        assert not sound[: max(0, int((onset.min() - 0.02) * rate))].any()


def test_the_dominant_family_is_the_target(clips, notes):
    for clip in clips.itertuples():
        played = notes[clip.path]
        seconds = played.groupby(played["program"].map(instruments.FAMILY))["duration_s"].sum()
        assert seconds.idxmax() == clip.target_instrument_family
        families = {tag.removeprefix("family:") for tag in clip.tags if tag.startswith("family:")}
        assert families == set(seconds.index)


def test_tags_say_what_the_notes_say(built, clips, notes):
    table = read_table(built[0] / "clips.parquet", scores.CLIPS).set_index("path")
    for clip in clips.itertuples():
        tags = dict(tag.split(":") for tag in clip.tags if not tag.startswith("family:"))
        assert tags["style"] == clip.target_style
        assert tags["texture"] == labels.texture(notes[clip.path].to_records(index=False))
        assert tags.get("tempo", "medium") == labels.tempo_band(table["bpm"][clip.path])
        assert tags.get("mode", "minor") == "minor"  # major, duple and medium go without a tag
        assert tags.get("metre", "triple") in ("triple", "compound")


@pytest.mark.system
def test_another_process_with_two_workers_and_another_hash_seed_makes_the_same_bytes(built, tmp_path):
    code = (
        "import json, sys; from pathlib import Path; from pipelines.datasets import scores;"
        "scores.build(Path(sys.argv[1]), json.loads(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path), json.dumps(ENTRY)]
    subprocess.run(command, check=True, cwd=PROJECT, env=os.environ | {"PYTHONHASHSEED": "5"}, capture_output=True)
    files = sorted(p.relative_to(built[0]) for p in built[0].rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert [f for f in files if sha256(built[0] / f) != sha256(tmp_path / f)] == []


def test_no_group_is_on_two_sides(clips):
    assert (clips.groupby("group")["split"].nunique() == 1).all()
    assert set(clips.loc[clips["split"] != "train", "target_style"]) == set(corpus.STYLES)


def test_programs_tempo_and_loudness_are_drawn_apart_from_the_style():
    drawn = {style: scores.draws(style, 96, 2026) for style in corpus.STYLES}
    for draws in drawn.values():
        first = Counter(instruments.FAMILY[draw.first] for draw in draws)
        assert first == dict.fromkeys(instruments.FAMILIES, 12)
        mixed = Counter(instruments.FAMILY[draw.first] for draw in draws if draw.second is not None)
        assert mixed == dict.fromkeys(instruments.FAMILIES, 6)
        assert all(instruments.FAMILY[d.first] != instruments.FAMILY[d.second] for d in draws if d.second is not None)
        bands = Counter(labels.tempo_band(draw.bpm) for draw in draws)
        assert bands == dict.fromkeys(excerpt.TEMPO_BANDS, 32)
    assert len({tuple(draws) for draws in drawn.values()}) == len(drawn)
    levels = [np.mean([draw.level_dbfs for draw in draws]) for draws in drawn.values()]
    assert np.ptp(levels) < 1.5  # six standard errors of a mean of 96


def test_few_clips_still_have_all_families_and_both_kinds():
    draws = [draw for style in corpus.STYLES for draw in scores.draws(style, 4, 2026)]
    assert {instruments.FAMILY[draw.first] for draw in draws} == set(instruments.FAMILIES)
    assert Counter(draw.second is None for draw in draws) == {True: 16, False: 16}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.sampled_from(["a", "b", "c"])), min_size=4, max_size=120))
def test_a_split_keeps_groups_whole_and_shares_close(members):
    groups, styles = [f"g{group}" for group, _ in members], [style for _, style in members]
    sides = pd.DataFrame({"group": groups, "style": styles, "side": splits.assign(groups, styles, ENTRY["split"], 1)})
    assert (sides.groupby("group")["side"].nunique() == 1).all()
    largest = sides.groupby("group").size().max()
    share = sides["side"].value_counts()
    for side, wanted in ENTRY["split"].items():
        assert abs(share.get(side, 0) - wanted * len(sides)) <= 3 * largest


def test_quartets_of_six_clips_and_single_works_get_their_shares():
    groups = [f"quartet {i // 6}" for i in range(96)] + [f"tune {i}" for i in range(96)]
    sides = splits.assign(groups, ["quartet"] * 96 + ["tune"] * 96, ENTRY["split"], 3)
    assert Counter(sides[96:]) == {"train": 58, "validation": 14, "test": 24}
    assert Counter(sides[:96]) == {"train": 60, "validation": 12, "test": 24}
    four = splits.assign(list("abcd"), ["x"] * 4, ENTRY["split"], 0)
    assert Counter(four) == {"train": 2, "validation": 1, "test": 1}


def test_more_clips_than_there_is_music_is_an_error():
    search = selection.Search("madrigal", ENTRY | {"clips_per_style": 1000})
    with pytest.raises(ValueError, match="madrigal: music for 0 clips, not 1000"):
        search.chosen()


def test_a_file_that_cannot_be_parsed_is_counted_and_another_work_takes_its_place():
    search = selection.Search("aird", ENTRY)
    first = search.wanted()
    assert len({piece.work for piece in first}) == 2
    broken = selection.read_or_reason(replace(first[0], number=99_999))
    assert broken.startswith("music21 cannot read airdsAirs/book1.abc (ABCFileException: ")
    search.receive(first[0], broken)
    search.receive(first[1], selection.read_or_reason(first[1]))
    assert search.rejected == {broken: 1}
    (second,) = search.wanted()
    assert second.work not in {piece.work for piece in first}


@pytest.mark.system
def test_another_soundfont_plays_the_same_test_works(built, clips, notes, tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "n_workers", lambda wanted=0: 1)
    font = tmp_path / "another.sf2"
    font.write_bytes(
        soundfonts.default().read_bytes() + b"\0\0"
    )  # RIFF says where it ends: the same sound, another file
    entry = ENTRY | {"soundfont": str(font), "soundfont_sha256": sha256(font), "splits": ["test"]}
    raw_dir = tmp_path / "raw"
    raw_dir.mkdir()
    figures = scores.build(raw_dir, entry)
    other, wanted = scores.clips(raw_dir, entry), clips[clips["split"] == "test"].reset_index(drop=True)
    assert figures["soundfont"] == "another.sf2" and figures["clips"] == len(other) == len(wanted) > 0
    pd.testing.assert_frame_equal(other.drop(columns="licence"), wanted.drop(columns="licence"))
    assert other["licence"].str.endswith("; sound: another.sf2, which names no copyright holder").all()
    assert clips["licence"].str.endswith(soundfonts.TIMGM6MB).all()
    played = dict(list(read_table(raw_dir / "notes.parquet", NOTES).groupby("path")))
    assert set(played) == set(wanted["path"])
    for path, own in played.items():
        pd.testing.assert_frame_equal(own.reset_index(drop=True), notes[path].reset_index(drop=True))
        assert sha256(raw_dir / path) == sha256(built[0] / path)
    assert sorted(p.relative_to(raw_dir).as_posix() for p in raw_dir.rglob("*.flac")) == sorted(wanted["path"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"soundfont": "/nowhere/none.sf2"}, "apt install fluidr3mono-gm-soundfont"),
        ({"splits": ["all"]}, "name some of train, validation, test"),
        ({"splits": []}, "name some of train, validation, test"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_read(options, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        scores.build(tmp_path, ENTRY | options)
    assert not list(tmp_path.iterdir())
