"""A folder of MIDI files: what is listed, what its folders mean, and splits of whole groups."""

import os

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import corpora
from pipelines.corpora import folder

SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}


@pytest.fixture
def music(tmp_path):
    """Folders and files of no matter what content."""
    for name in ("hymns/a/1.mid", "hymns/a/2.MID", "hymns/3.midi", "songs/4.kar", ".hidden/5.mid", "songs/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def entry(music, **options):
    return {"module": "folder", "path": str(music), "fingerprint": folder.fingerprint(folder.scan(music)), **options}


def test_what_is_listed(music):
    (music / "hymns/link.mid").symlink_to(music / "songs/4.kar")
    os.mkfifo(music / "hymns/pipe.mid")
    with open(music / "big.mid", "wb") as file:
        file.truncate(10_000_000)
    files = folder.scan(music).set_index("path")
    assert sorted(files.index[files["problem"] == ""]) == [
        "hymns/3.midi",
        "hymns/a/1.mid",
        "hymns/a/2.MID",
        "songs/4.kar",
    ]
    assert (files["sha256"].str.len() == 64).eq(files["problem"] == "").all()
    told = files["problem"].to_dict()
    assert told["songs/notes.txt"] == "no file of notes by its name" and "link" in told["hymns/link.mid"]
    assert "regular" in told["hymns/pipe.mid"] and "10,000,000 bytes" in told["big.mid"]


def test_first_folders_are_groups_or_labels(music):
    module = corpora.load({"module": "folder"})
    groups = module.pieces(entry(music)).set_index("title")
    assert set(corpora.PIECE_COLUMNS) <= {"title", *groups.columns} and "target_label" not in groups
    assert groups.loc["hymns/a/1.mid", "group"] == groups.loc["hymns/3.midi", "group"] == "hymns"
    labels = module.pieces(entry(music, folders="label")).set_index("title")
    assert labels.loc["hymns/a/1.mid", ["target_label", "group"]].tolist() == ["hymns", "a"]
    assert labels.loc["songs/4.kar", ["target_label", "group"]].tolist() == ["songs", ""]


@pytest.mark.parametrize("change", ["a/new.mid", "hymns/3.midi", None])
def test_a_changed_folder_is_refused(music, change):
    before = entry(music)
    if change:
        (music / change).parent.mkdir(exist_ok=True)
        (music / change).write_bytes(b"other")
    else:
        (music / "hymns/3.midi").unlink()
    with pytest.raises(ValueError, match="conservatory run"):
        folder.pieces(before)


def test_no_folder_and_an_empty_one(tmp_path):
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ValueError, match="no f"):
            folder.scan(place)


@given(st.lists(st.integers(1, 9), min_size=12, max_size=60), st.integers(0, 9))
def test_splits_keep_groups_whole_and_shares_near(sizes, seed):
    groups = pd.Series([f"work {n}" for n, size in enumerate(sizes) for _ in range(size)])
    found = corpora.assign_splits(groups, SHARES, seed)
    assert pd.DataFrame({"group": groups, "split": found}).groupby("group")["split"].nunique().max() == 1
    for side, share in SHARES.items():
        assert abs((found == side).mean() - share) <= max(sizes) / len(groups)
    other_order = dict(reversed(SHARES.items()))
    assert corpora.assign_splits(groups, other_order, seed).equals(found), "nor does that of the entry's keys"
    shuffled = groups.sample(frac=1, random_state=seed)
    assert corpora.assign_splits(shuffled, SHARES, seed).sort_index().equals(found), (
        "the order of files does not matter"
    )
