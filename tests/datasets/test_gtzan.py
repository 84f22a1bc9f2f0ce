"""GTZAN: real rows of its index and lists; splits, variants, copies, and files that are not what they should be."""

import json
import os
import shutil
from pathlib import Path

import copies
import pytest
import soundfile

from pipelines.core import splits
from pipelines.core.files import sha256
from pipelines.datasets import gtzan
from pipelines.datasets.sources import download
from pipelines.stages import manifest

INDEX = copies.PUBLISHED / "gtzan" / gtzan.INDEX.name


@pytest.fixture
def entry(in_tmp):
    return copies.make_gtzan(in_tmp / "original")


def build(entry, name="raw"):
    raw_dir = Path(name)
    raw_dir.mkdir()
    figures = gtzan.build(raw_dir, entry)
    return gtzan.clips(raw_dir, entry).set_index("title"), figures


def genres(entry):
    return Path(entry["local"]) / "genres"


def test_the_published_rows_are_read():
    index = gtzan.read_index(INDEX)
    assert index["jazz.00054"] == "8f0ab76fff2d2c6bc80eb9c9362318ca" and list(index) == sorted(index)
    found = {side: gtzan.read_list(INDEX.with_name(r.name), index) for side, r in gtzan.FILTERED.items()}
    assert found["validation"] == ["blues.00000", "blues.00001", "classical.00000"]
    assert gtzan.same_bytes(index) == [
        ["disco.00098", "disco.00099"],
        ["hiphop.00039", "hiphop.00045"],
        ["metal.00058", "rock.00016"],
        ["reggae.00081", "reggae.00082"],
    ]


def test_of_copies_one_stays_unless_their_genres_differ():
    assert gtzan.superfluous(gtzan.same_bytes(gtzan.read_index(INDEX))) == {
        "disco.00099",
        "hiphop.00045",
        "reggae.00082",
        "metal.00058",
        "rock.00016",
    }


def test_the_fault_filtered_split(entry):
    clips, figures = build(entry)
    assert clips.loc["blues.00012", "split"] == "test" and clips.loc["blues.00029", "split"] == "train"
    assert clips.loc["blues.00000", "split"] == "validation"
    assert figures["left out"] == {"not in the split": 19 - len(clips)} and len(clips) == 14
    assert clips.loc["blues.00012", ["target_genre", "source"]].tolist() == [
        "blues",
        "GTZAN, fault_filtered, blues.00012",
    ]
    assert clips.loc["blues.00012", "tags"].tolist() == ["blues"]


VARIANTS = {"published": set(), "no_corrupt": {"jazz.00054"}}
VARIANTS["no_copies"] = {"disco.00099", "hiphop.00045", "reggae.00082", "metal.00058", "rock.00016"}
VARIANTS["clean"] = VARIANTS["no_copies"] | VARIANTS["no_corrupt"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_leave_out_what_they_name_and_count_it(entry, variant):
    clips, figures = build(entry | {"split": "full", "variant": variant})
    assert set(gtzan.read_index(INDEX)) - set(clips.index) == VARIANTS[variant]
    assert sum(figures["left out"].values()) == len(VARIANTS[variant]) and set(clips["split"]) == {"all"}


def test_the_only_one_of_a_pair_in_a_split_is_no_copy(entry):
    clips, figures = build(entry | {"variant": "clean"})
    assert {"disco.00099", "hiphop.00045", "rock.00016"} <= set(clips.index)
    assert figures["left out"] == {"not in the split": 5, "corrupt": 1}


def test_exact_copies_are_one_group_and_the_manifest_says_so(entry):
    clips, _ = build(entry | {"split": "full"})
    assert clips.loc["rock.00016", "group"] == clips.loc["metal.00058", "group"]
    good, bad = manifest.build(clips.reset_index(), Path("raw"), {"workers": 1})
    assert good["duplicate_of"].notna().sum() == 4
    assert [Path(path).stem for path in bad["path"]] == ["jazz.00054"] and "not audio" in bad["reason"].iloc[0]


@pytest.mark.parametrize("fold", [1, 2, 3])
def test_artist_folds(entry, fold):
    clips, figures = build(entry | {"split": "artist_folds", "fold": fold, "artist_folds": entry["local"]})
    expected = {row.split()[0] for row in copies.FOLDS[fold]}
    assert set(clips.index[clips["split"] == "test"]) == expected
    assert (
        set(clips["split"]) == {"train", "test"} and len(clips) == 5 and figures["left out"] == {"not in the split": 14}
    )
    assert clips.loc["blues.00013", "group"] == "artist 1"


def test_artists_are_the_groups_of_other_splits_too(entry):
    clips, _ = build(entry | {"artist_folds": entry["local"]})
    assert clips.loc["blues.00012", "group"] == clips.loc["blues.00013", "group"] == "artist 1"
    assert clips.loc["blues.00000", "group"] == "blues.00000", "of whom nothing is known"


def test_a_leak_between_sides_would_be_found(entry):
    path = Path(entry["local"]) / "f1_evaluate_groups.txt"
    path.write_text("./blues_00012.wav\t1\n./blues_00029.wav\t1\n")
    Path(entry["local"], "f2_evaluate_groups.txt").write_text("")
    clips, _ = build(entry | {"artist_folds": entry["local"]})
    good, _ = manifest.build(clips.reset_index(), Path("raw"), {"workers": 1})
    assert not splits.audit(good)["no group in two splits"][0]


def test_folds_must_be_had_and_be_sound(entry):
    with pytest.raises(gtzan.DatasetError, match="julianofoleiss(.|\n)*`artist_folds: <folder>`"):
        build(entry | {"split": "artist_folds", "fold": 1})
    with pytest.raises(gtzan.DatasetError, match="fold: 4 in params.yaml; there is 1, 2, 3"):
        build(entry | {"split": "artist_folds", "fold": 4, "artist_folds": entry["local"]}, "b")
    index = gtzan.read_index(INDEX)
    path = Path(entry["local"]) / "f3_evaluate_groups.txt"
    for line in ("./blues_00012.wav\t77", "./reggae_00086.wav\t1", "./blues_00099.wav\t5", "./reggae_00086.wav"):
        path.write_text(line)
        with pytest.raises(gtzan.DatasetError, match="f3_evaluate_groups.txt, line 1"):
            gtzan.read_folds(entry["local"], index)
    path.unlink()
    with pytest.raises(gtzan.DatasetError, match="does not exist: download it from"):
        gtzan.read_folds(entry["local"], index)


def test_a_wav_with_other_bytes_goes_to_quarantine(entry):
    copies.sound(genres(entry) / "blues" / "blues.00012.wav", 99)
    clips, figures = build(entry)
    assert "mirdata's index" in clips.loc["blues.00012", "problem"] and figures["unusable"] == 1
    assert figures["verified files"] == 13 and figures["unverified files"] == 1
    accepted, _ = build(entry | {"checksums": "ignore"}, "b")
    assert (accepted["problem"] == "").all()


def test_another_format_is_read_and_counted_as_unverified(entry):
    path = genres(entry) / "blues" / "blues.00012.wav"
    y, rate = soundfile.read(path)
    soundfile.write(path.with_suffix(".au"), y, rate)
    path.unlink()
    clips, figures = build(entry)
    assert clips.loc["blues.00012", "path"].endswith(".au") and clips.loc["blues.00012", "problem"] == ""
    assert figures["unverified files"] == 1


def test_what_is_missing_or_strange_is_said(entry):
    (genres(entry) / "blues" / "blues.00012.wav").unlink()
    shutil.copy(genres(entry) / "blues" / "blues.00013.wav", genres(entry) / "blues" / "my mix.wav")
    (genres(entry) / ".trash").mkdir()
    shutil.copy(genres(entry) / "blues" / "blues.00013.wav", genres(entry) / ".trash")
    clips, figures = build(entry)
    assert "is not in" in clips.loc["blues.00012", "problem"]
    assert figures["files that are no excerpt of the index"] == 1 and "my mix.wav" in figures["for example"][0]


def test_kaggles_layout_is_found(entry):
    genres(entry).rename(genres(entry).with_name("genres_original"))
    clips, _ = build(entry)
    assert (clips["problem"] == "").all()


def test_an_empty_folder_and_a_spoilt_index_are_said(entry):
    shutil.rmtree(genres(entry))
    with pytest.raises(gtzan.DatasetError, match="none of 14 clips can be used"):
        build(entry)
    Path(entry["local"], gtzan.INDEX.name).write_text(json.dumps({"tracks": {"blues.00000": {}}}))
    with pytest.raises(gtzan.DatasetError, match="not mirdata's index"):
        build(entry, "b")


def test_lists_under_another_name_are_found_by_their_bytes(entry, monkeypatch):
    folder = Path(entry["local"])
    for side, remote in gtzan.FILTERED.items():
        path = folder / remote.name
        monkeypatch.setitem(gtzan.FILTERED, side, remote._replace(urls=(), checksums=(f"sha256:{sha256(path)}",)))
        path.rename(folder / f"gtzan_{remote.name}")
    clips, _ = build(entry)
    assert clips["split"].value_counts().to_dict() == {"test": 6, "train": 5, "validation": 3}


def test_a_list_that_is_nowhere_is_to_be_put_into_the_local_folder(entry, monkeypatch):
    remote = gtzan.FILTERED["train"]._replace(urls=())
    monkeypatch.setitem(gtzan.FILTERED, "train", remote)
    (Path(entry["local"]) / remote.name).unlink()
    with pytest.raises(download.DownloadError) as error:
        build(entry)
    text = str(error.value)
    assert f"anywhere in {entry['local']}" in text and remote.checksums[0] in text
    assert "name its folder in params.yaml" not in text


def test_a_relative_folder_is_of_the_project_in_its_worktrees_too(entry, in_tmp, monkeypatch):
    local = os.path.relpath(entry["local"])
    entry |= {"local": local, "artist_folds": local, "split": "artist_folds", "fold": 1}
    clips, figures = build(entry)
    (in_tmp / "worktree").mkdir()
    monkeypatch.chdir(in_tmp / "worktree")
    monkeypatch.setenv("CONSERVATORY_PROJECT", str(in_tmp))
    again, the_same = build(entry)
    assert again.equals(clips) and the_same == figures
    assert all(os.path.isabs(path) and os.path.exists(path) for path in clips.loc[clips["problem"] == "", "path"])
