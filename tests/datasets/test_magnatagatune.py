"""MagnaTagATune: its two tables in their published layout, the 12:1:3 split, the top tags, and its empty files."""

from pathlib import Path

import copies
import pandas as pd
import pytest

from pipelines.core import splits
from pipelines.datasets import magnatagatune
from pipelines.stages import manifest


@pytest.fixture
def entry(in_tmp):
    return copies.make_magnatagatune(in_tmp / "original")


def build(entry, name="raw"):
    raw_dir = Path(name)
    raw_dir.mkdir()
    figures = magnatagatune.build(raw_dir, entry)
    return magnatagatune.clips(raw_dir, entry).set_index("source"), figures


def clip(clips, number):
    return clips.loc[f"MagnaTagATune, 12:1:3, clip {number}"]


def table(entry):
    return Path(entry["local"]) / "annotations_final.csv"


def test_folders_are_the_split():
    assert "".join(magnatagatune.SIDES) == "0123456789abcdef"
    assert list(magnatagatune.SIDES.values()) == ["train"] * 12 + ["validation"] + ["test"] * 3


def test_tags_artists_and_target(entry):
    clips, figures = build(entry)
    assert clip(clips, 2)["tags"].tolist() == ["guitar", "rock"] and clip(clips, 2)["target_genre"] == "rock"
    assert sorted(clip(clips, 11)["tags"]) == ["rock", "techno"]
    assert pd.isna(clip(clips, 11)["target_genre"]), "two genres are none"
    assert clip(clips, 10)["group"] == 'The "Quartet"' and clip(clips, 10)["split"] == "validation"
    assert figures["left out"] == {"without one of the top tags": 1} and figures["tags"] == 5
    assert len(clips) == 5 and figures["clips without an artist"] == 0


def test_untagged_clips_stay_if_asked_for(entry):
    clips, figures = build(entry | {"untagged": "keep"})
    assert len(clips) == 6 and figures["left out"] == {} and list(clip(clips, 12)["tags"]) == []


def test_top_tags_are_those_with_most_clips():
    annotated = {str(n): (str(n), tags) for n, tags in enumerate([["b", "c"], ["b", "a"], ["b", "c"], ["d"]])}
    assert magnatagatune.top_tags(annotated, 2) == ["b", "c"]
    assert magnatagatune.top_tags(annotated, 3) == ["a", "b", "c"], "of equal ones the first by name"


def test_the_published_empty_file_goes_to_quarantine(entry):
    clips, _ = build(entry)
    good, bad = manifest.build(clips.reset_index(), Path("raw"), {"workers": 1})
    assert len(good) == 4 and bad["path"].iloc[0].endswith(magnatagatune.EMPTY[0]) and "empty" in bad["reason"].iloc[0]


def test_an_artist_on_two_sides_is_found_by_the_check(entry):
    path = Path(entry["local"]) / "clip_info_final.csv"
    path.write_text(path.read_text().replace("Machine", "A Band"))
    for by, passes in (("artist", False), ("song", True)):
        clips, _ = build(entry | {"group": by}, by)
        good, _ = manifest.build(clips.reset_index(), Path(by), {"workers": 1})
        assert splits.audit(good)["no group in two splits"][0] == passes


BAD = {
    '"99"\t"1"': "2 columns for 7",
    '"99"\t"1"\t"0"\t"0"\t"0"\t"2"\t"0/x.mp3"': "0 or 1",
    '"99"\t"1"\t"0"\t"0"\t"0"\t"0"\t"../x.mp3"': "no clip in",
    '"99"\t"1"\t"0"\t"0"\t"0"\t"0"\t"0/a_band-first-01-one-0-29.mp3"': "second time",
}


@pytest.mark.parametrize("line", BAD, ids=BAD.values())
def test_a_bad_row_goes_to_quarantine_with_its_line(entry, line):
    with table(entry).open("a") as file:
        file.write(line + "\n")
    clips, figures = build(entry)
    bad = clips[clips["problem"] != ""]
    assert len(clips) == 6 and figures["unusable"] == 1
    assert BAD[line] in bad["problem"].iloc[0] and bad["path"].iloc[0] == "annotations_final.csv, line 8"


def test_a_clip_without_an_artist_is_counted_and_is_its_own_group(entry):
    path = Path(entry["local"]) / "clip_info_final.csv"
    path.write_text("".join(line for line in path.open() if '"2"' not in line[:4]))
    clips, figures = build(entry)
    assert figures["clips without an artist"] == 1 and clip(clips, 2)["group"] == "0/a_band-first-01-one-0-29.mp3"


def test_a_missing_clip_and_another_table_are_said(entry):
    (Path(entry["local"]) / "0/a_band-first-01-one-0-29.mp3").unlink()
    clips, _ = build(entry)
    assert "is not in" in clip(clips, 2)["problem"]
    table(entry).write_text("<html>\n")
    with pytest.raises(magnatagatune.DatasetError, match="another file"):
        build(entry, "b")
