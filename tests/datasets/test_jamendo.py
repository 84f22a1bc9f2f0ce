"""MTG-Jamendo: real rows of its lists; splits, archives, targets, and rows that are not what they should be."""

import shutil
from pathlib import Path

import copies
import pytest

from pipelines.datasets import jamendo
from pipelines.stages import manifest

LISTS = copies.PUBLISHED / "mtg_jamendo"


@pytest.fixture
def entry(in_tmp):
    return copies.make_jamendo(in_tmp / "original")


def tsv(entry, side="test", split=0):
    return Path(entry["local"]) / "splits" / f"split-{split}" / f"autotagging_top50tags-{side}.tsv"


def build(entry, name="raw"):
    raw_dir = Path(name)
    raw_dir.mkdir()
    figures = jamendo.build(raw_dir, entry)
    return jamendo.clips(raw_dir, entry).set_index("title"), figures


def test_published_rows_have_as_many_tags_as_they_like():
    rows = {
        row["title"]: row for row in jamendo.read_tsv(LISTS / tsv({"local": ""}).name, "test", "split-0, top50tags")
    }
    lines = (LISTS / "autotagging_top50tags-test.tsv").read_text().splitlines()[1:]
    assert len({line.count("\t") for line in lines}) > 3
    for line in lines:
        track, artist, _, path, _, *tags = line.split("\t")
        row = rows[track]
        assert (row["group"], row["path"], row["tags"], row["problem"]) == (artist, path, tags, "")
    first = rows["track_0000215"]
    assert first["tags"] == ["genre---metal"] and first["source"] == "MTG-Jamendo, split-0, top50tags, track_0000215"


def test_a_target_is_the_only_tag_of_its_kind():
    rows = [row for side in jamendo.SIDES for row in jamendo.read_tsv(LISTS / tsv({"local": ""}, side).name, side, "")]
    for row in rows:
        for name, kind in jamendo.TARGETS.items():
            own = [tag for tag in row["tags"] if tag.startswith(kind)]
            assert row[name] == (own[0].split("---")[1] if len(own) == 1 else None)
    assert any(row["target_genre"] for row in rows) and any(row["target_genre"] is None for row in rows)
    assert any(row["target_moodtheme"] for row in rows)


def test_the_publishers_checksums_are_read():
    found = jamendo.read_checksums(LISTS / jamendo.LOW_LIST.name)
    assert found["raw_30s_audio-low-00.tar"] == "c89826f7fa271a1c6c8f3b63786462cd72a97ec02531ca2f566310418dace88b"
    assert len(found) == 3


def test_a_list_that_is_none_is_said(in_tmp):
    Path("sums.txt").write_text("<html>")
    with pytest.raises(jamendo.DatasetError, match="sums.txt, line 1"):
        jamendo.read_checksums(Path("sums.txt"))
    Path("x.tsv").write_text("a\tb\n")
    with pytest.raises(jamendo.DatasetError, match="its first line should be"):
        jamendo.read_tsv(Path("x.tsv"), "test", "")


def test_artists_and_sides(entry):
    clips, figures = build(entry)
    assert {f"{side} clips" for side in jamendo.SIDES} <= set(figures) and figures["unusable"] == 0
    assert clips["group"].str.startswith("artist_").all()
    assert figures["artists"] == clips["group"].nunique()
    assert clips.loc["track_0000215", "path"].endswith("15/215.low.mp3")


BAD = {
    "track_0000215\tartist_1\talbum_1": "3 columns",
    "track_0000999\ta\tb\t98/998.mp3\t1.0\tgenre---rock": "not its own",
    "track_0000999\ta\tb\t12/999.mp3\t1.0\tgenre---rock": "folder of its number",
    "track_0000999\ta\tb\t../999.mp3\t1.0\tgenre---rock": "not its own",
    "track_0000999\ta\tb\t99/999.mp3\t1.0\trock": "tag without a kind",
    "": "1 columns",
}


@pytest.mark.parametrize("line", BAD, ids=BAD.values())
def test_a_bad_row_goes_to_quarantine_with_its_line(entry, line):
    before, _ = build(entry)
    text = tsv(entry).read_text()
    tsv(entry).write_text(text + line + "\n")
    clips, figures = build(entry, "b")
    bad = clips[clips["problem"] != ""]
    assert len(clips) == len(before) + 1 and figures["unusable"] == 1
    assert BAD[line] in bad["problem"].iloc[0] and f"line {text.count(chr(10)) + 1}" in bad["path"].iloc[0]
    good, quarantine = manifest.build(clips.reset_index(), Path("b"), {"workers": 1})
    assert len(good) == len(before) and BAD[line] in quarantine["reason"].iloc[0]


def test_a_track_on_two_sides_is_said(entry):
    line = tsv(entry, "test").read_text().splitlines()[1]
    with tsv(entry, "train").open("a") as file:
        file.write(line + "\n")
    clips, figures = build(entry)
    assert figures["unusable"] == 1 and "twice" in clips.loc[clips["problem"] != "", "problem"].iloc[0]


def test_archives_choose_tracks_by_number(entry):
    every, _ = build(entry)
    clips, figures = build(entry | {"archives": [15, 41]}, "b")
    assert set(clips.index) == {name for name in every.index if int(name[-2:]) in (15, 41)} and len(clips)
    assert sum(figures["left out"].values()) == len(every) - len(clips)


@pytest.mark.parametrize("archives", ["some", [], [100], 3])
def test_archives_that_are_not_there_are_said(entry, archives):
    with pytest.raises(jamendo.DatasetError, match="numbers from 0 to 99"):
        build(entry | {"archives": archives})


def test_archives_without_a_track_are_said(entry):
    with pytest.raises(jamendo.DatasetError, match="no track"):
        build(entry | {"archives": [99 if "99/" not in tsv(entry).read_text() else 98]})


@pytest.mark.parametrize(("quality", "kind"), [("low", "audio-low"), ("full", "audio")])
def test_only_archives_asked_for_are_downloaded(in_tmp, host, monkeypatch, quality, kind):
    copies.make_jamendo(in_tmp / "original")
    served = copies.serve_jamendo(in_tmp / "original", host, monkeypatch, quality)
    clips, _ = build(served | {"archives": [15]})
    tars = [path for path, _ in host.asked if path.endswith(".tar")]
    assert tars == [f"{place}/raw_30s/{kind}/raw_30s_{kind}-15.tar" for place in ("/gone", "")]
    assert clips.loc["track_0000215", "path"] == "audio/15/215.mp3" and Path("raw/audio/15/215.mp3").is_file()


@pytest.mark.parametrize(("quality", "name"), [("low", "215.low.mp3"), ("full", "215.mp3")])
def test_of_two_qualities_in_a_folder_the_one_asked_for_is_taken(entry, quality, name):
    low = Path(entry["local"]) / "audio/15/215.low.mp3"
    shutil.copy(low, low.with_name("215.mp3"))
    clips, _ = build(entry | {"quality": quality})
    assert Path(clips.loc["track_0000215", "path"]).name == name


def test_a_missing_track_is_said(entry):
    next(Path(entry["local"]).glob("audio/15/215.low.mp3")).unlink()
    clips, figures = build(entry)
    assert "is not in" in clips.loc["track_0000215", "problem"] and figures["unusable"] == 1


def test_a_split_is_taken_from_its_own_folder(entry):
    shutil.copytree(tsv(entry).parent, tsv(entry, split=3).parent)
    for side in jamendo.SIDES:
        header, first, *_ = tsv(entry, side, 3).read_text().splitlines()
        tsv(entry, side, 3).write_text(f"{header}\n{first}\n")
    clips, _ = build(entry | {"split": 3})
    assert len(clips) == 3 and clips["source"].str.contains("split-3").all()


def test_lists_in_no_split_folder_are_split_0(entry):
    tsv(entry).parent.rename(Path(entry["local"]) / "lists")
    clips, figures = build(entry)
    assert len(clips) > 10 and figures["unusable"] == 0
