"""A user's folder: what is listed, what is refused and in which words, and when the fingerprint changes."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from pipelines.audio import decode, probe
from pipelines.core import max_quarantined
from pipelines.datasets import folder, listing
from pipelines.stages import manifest


def test_every_file_is_a_row(songs, in_tmp):
    root, reasons = songs
    files = listing.scan(root)
    present = [path for path in root.rglob("*") if not path.is_dir() or path.suffix]
    assert len(files) == len(present)
    assert sorted(files["label"].unique()) == ["rock 'n' roll", "Übung"]
    assert (files["split"] == "all").all()
    problems = {Path(row.path).name: row.problem for row in files.itertuples() if row.problem}
    assert set(problems) == {"cover.jpg", "folder.wav", "link.wav"}
    for name, problem in problems.items():
        assert reasons[name] in problem


def test_folders_behind_links_are_read_and_a_circle_is_said(songs, in_tmp):
    root, _ = songs
    shutil.move(root / "Übung", in_tmp / "elsewhere")
    (root / "Übung").symlink_to(in_tmp / "elsewhere", target_is_directory=True)
    (root / "rock 'n' roll" / "up").symlink_to(root, target_is_directory=True)
    files = listing.scan(root, follow_links=True)
    assert sorted(files["label"].unique()) == ["rock 'n' roll", "Übung"]
    assert (files["label"] == "Übung").sum() > 5
    left = listing.scan(root).set_index("path")
    assert (
        "a link that leads out of the folder" in left.loc["Übung", "problem"] and (left["label"] == "Übung").sum() == 1
    )
    circle = files[files["problem"].str.startswith("a link to a folder")]
    assert circle["path"].tolist() == ["rock 'n' roll/up"]


def test_links_out_of_the_folder_are_followed_when_asked_for(songs, in_tmp):
    """A link to /etc must not put its names into a table that is pushed."""
    root, _ = songs
    good = next(root.rglob("a*0.wav"))
    shutil.move(good, in_tmp / "outside.wav")
    good.symlink_to(in_tmp / "outside.wav")
    (root / "Übung/etc").symlink_to("/etc", target_is_directory=True)
    (root / "Übung/beside.wav").symlink_to(next(root.rglob("a*1.flac")))
    name = str(good.relative_to(root))
    entry = {"path": str(root), "fingerprint": listing.fingerprint(listing.scan(root, follow_links=True))}
    problems = listing.scan(root).set_index("path")["problem"]
    assert all("leads out of the folder" in problems[path] for path in (name, "Übung/etc"))
    assert problems["Übung/beside.wav"] == "" and not problems.index.str.contains("passwd").any()
    followed = listing.scan(root, follow_links=True).set_index("path")["problem"]
    assert followed[name] == "" and followed.index.str.contains("etc/passwd").any()
    Path("raw").mkdir()
    assert folder.build(Path("raw"), entry | {"follow_links": True})["files"] == len(followed)
    with pytest.raises(listing.SourceError, match="does not match params.yaml"):
        folder.build(Path("raw"), entry)


def test_a_folder_of_files_alone_has_no_labels(songs, in_tmp):
    root, _ = songs
    (in_tmp / "flat").mkdir()
    for number, path in enumerate(sorted(root.rglob("a *"))):
        shutil.copy(path, in_tmp / f"flat/{number}{path.suffix}")
    files = listing.scan(in_tmp / "flat")
    assert set(files["label"]) == {""} and set(files["problem"]) == {""}
    Path("raw").mkdir()
    entry = {"path": str(in_tmp / "flat"), "fingerprint": listing.fingerprint(files)}
    folder.build(Path("raw"), entry)
    clips = folder.clips(Path("raw"), entry)
    assert not [name for name in clips if name.startswith("target_")]
    good, bad = manifest.build(clips, Path("raw"), {"workers": 1})
    assert len(good) == len(files) and bad.empty


def test_manifest_and_quarantine_hold_every_row_once(songs, in_tmp):
    root, reasons = songs
    entry = {"path": str(root), "fingerprint": listing.fingerprint(listing.scan(root))}
    Path("raw").mkdir()
    folder.build(Path("raw"), entry)
    clips = folder.clips(Path("raw"), entry)
    good, bad = manifest.build(clips, Path("raw"), {"workers": 1})
    assert len(good) + len(bad) == len(clips) and not set(good["path"]) & set(bad["path"])
    for row in bad.itertuples():
        assert reasons[Path(row.path).name] in row.reason
    assert good["clip_id"].is_unique and good["target_label"].notna().all()


def test_exact_copies_are_kept_and_named(songs, in_tmp):
    root, _ = songs
    original = next((root / "Übung").glob("a*.wav"))
    shutil.copy(original, root / "rock 'n' roll" / "again.wav")
    entry = {"path": str(root), "fingerprint": listing.fingerprint(listing.scan(root))}
    Path("raw").mkdir()
    folder.build(Path("raw"), entry)
    good, _ = manifest.build(folder.clips(Path("raw"), entry), Path("raw"), {"workers": 1})
    copies = good[good["sha256"].duplicated(keep=False)]
    assert copies["group"].nunique() == 1 and good["group"].nunique() == len(good) - 1
    assert len(copies) == 2 and copies["clip_id"].iloc[1] == copies["clip_id"].iloc[0] + "~2"
    assert copies["duplicate_of"].iloc[1] == copies["clip_id"].iloc[0] and pd.isna(copies["duplicate_of"].iloc[0])


@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg", "wav", "aiff"])
def test_artists_in_tags_are_groups(in_tmp, chord, suffix):
    """Two files of an artist, also where it is written otherwise; who compiled them, or is the label, is no group."""
    artists = {
        "a": ["Nina Šimon", "nina ŠIMON", "Various Artists", ""],
        "b": ["Anon Two", "Solo", "Solo", ""],
        "c": ["The C", "The C"],
    }
    for label, names in artists.items():
        (in_tmp / "music" / label).mkdir(parents=True)
        for number, name in enumerate(names):
            with soundfile.SoundFile(in_tmp / f"music/{label}/{number}.{suffix}", "w", 16_000, 1) as file:
                if name:
                    file.artist = name
                file.write(chord((220 + 10 * number + ord(label),), 1.0))
    entry = {"path": str(in_tmp / "music"), "fingerprint": listing.fingerprint(listing.scan(in_tmp / "music"))}
    Path("raw").mkdir()
    folder.build(Path("raw"), entry)
    good, bad = manifest.build(folder.clips(Path("raw"), entry), Path("raw"), {"workers": 1})
    assert bad.empty
    assert good["group"].tolist() == [
        *("artist nina šimon", "artist nina šimon", f"a/2.{suffix}", f"a/3.{suffix}"),
        *("artist anon two", "artist solo", "artist solo", f"b/3.{suffix}"),
        *(f"c/0.{suffix}", f"c/1.{suffix}"),
    ]


def test_fingerprint_follows_the_bytes_and_names_only(songs, in_tmp):
    root, _ = songs
    before = listing.fingerprint(listing.scan(root))
    some = next((root / "Übung").glob("a*.flac"))
    os.utime(some, (1, 1))
    assert listing.fingerprint(listing.scan(root)) == before
    moved = root.rename(root.with_name("moved"))
    assert listing.fingerprint(listing.scan(moved)) == before
    some = next((moved / "Übung").glob("a*.flac"))
    some.rename(some.with_name("renamed.flac"))
    renamed = listing.fingerprint(listing.scan(moved))
    some.with_name("renamed.flac").write_bytes(b"other bytes")
    assert len({before, renamed, listing.fingerprint(listing.scan(moved))}) == 3


def test_a_changed_folder_is_not_read_under_its_old_name(songs, in_tmp):
    root, _ = songs
    with pytest.raises(listing.SourceError, match="conservatory run"):
        folder.build(Path("raw"), {"path": str(root), "fingerprint": "0" * 16})


@pytest.mark.parametrize("name", ["photo.raw", "notes.au", "notes.vox", "notes.gsm", "notes.snd", "notes"])
def test_what_has_no_header_is_no_music_whatever_it_is_called(in_tmp, chord, name):
    """libsndfile goes by the suffix, and would play any bytes."""
    (in_tmp / "music/a").mkdir(parents=True)
    soundfile.write(in_tmp / "music/a/1.wav", chord(), 16_000)
    (in_tmp / f"music/a/{name}").write_bytes(b"not music " * 9000)
    files = listing.scan(in_tmp / "music").set_index("path")
    assert files.loc["a/1.wav", "problem"] == ""
    if not files.loc[f"a/{name}", "problem"]:
        with pytest.raises(probe.Unreadable, match="libsndfile can read"):
            probe.header(in_tmp / f"music/a/{name}")


FORMAT_OF = {
    **{
        "oga": "OGG",
        "aifc": "AIFF",
        "caf": "CAF",
        "w64": "W64",
        "rf64": "RF64",
        "mp2": "MP3",
        "mpga": "MP3",
        "snd": "AU",
    },
    **{"au": "AU", "voc": "VOC", "xi": "XI", "opus": "OGG", "8svx": "SVX", "sph": "NIST", "sound": "FLAC", "": "WAV"},
}


@pytest.mark.parametrize("suffix", FORMAT_OF)
def test_what_libsndfile_reads_is_music_under_any_name(in_tmp, chord, suffix):
    for label in ("a", "b"):
        (in_tmp / "music" / label).mkdir(parents=True)
        soundfile.write(in_tmp / f"music/{label}/1.{suffix}", chord(), 16_000, format=FORMAT_OF[suffix])
        (in_tmp / f"music/{label}/notes.txt").write_text("not music")
    files = listing.scan(in_tmp / "music").set_index("path")
    assert dict(files["problem"]) == {
        path: "not an audio file by its name" if path.endswith("txt") else "" for path in files.index
    }


@pytest.mark.parametrize("kind", ["FLAC", "CAF", "AU", "W64", "WAV", "RF64", "AIFF", "SVX", "OGG"])
@pytest.mark.parametrize("suffix", ["", ".take", ".bak"])
def test_damaged_sound_is_not_passed_over(in_tmp, chord, kind, suffix):
    """libsndfile cannot read it, and its name says nothing: by its first bytes it is sound, and will be quarantined."""
    (in_tmp / "music/a").mkdir(parents=True)
    soundfile.write(in_tmp / "music/a/1.wav", chord(), 16_000)
    damaged = in_tmp / f"music/a/2{suffix}"
    soundfile.write(damaged, chord(), 16_000, format=kind)
    damaged.write_bytes(damaged.read_bytes()[:60])
    files = listing.scan(in_tmp / "music").set_index("path")
    assert set(files["problem"]) == {""}
    with pytest.raises(probe.Unreadable):
        sum(map(len, decode.blocks(damaged, 16_000)))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        *(
            (f"x{suffix}", f"{suffix} cannot be read: convert it")
            for suffix in (".m4a", ".tta", ".mpc", ".dts", ".amr")
        ),
        *(
            (name, max_quarantined.NOT_MUSIC)
            for name in ("cover.jpg", "notes.txt", "disc.cue", "booklet.pdf", "list.m3u", "film.ogv")
        ),
        *((name, None) for name in (".DS_Store", "Thumbs.db", "._1.wav")),
    ],
)
def test_what_is_no_sound_is_told_from_what_cannot_be_read(in_tmp, chord, name, problem):
    (in_tmp / "music/a").mkdir(parents=True)
    soundfile.write(in_tmp / "music/a/1.wav", chord(), 16_000)
    content = (
        b"OggS\0\2" + bytes(22) + b"\x80theora" if name.endswith("ogv") else b"%PDF-1.4 \xff\xfb\x90\x64 not music" * 99
    )
    (in_tmp / "music/a" / name).write_bytes(content)
    files = listing.scan(in_tmp / "music").set_index("path")
    if problem is None:
        assert list(files.index) == ["a/1.wav"]
    else:
        assert files.loc[f"a/{name}", "problem"].startswith(problem)
        quarantine = pd.DataFrame({"reason": files["problem"][files["problem"] != ""]})
        assert max_quarantined.faults(quarantine) == (problem != max_quarantined.NOT_MUSIC)


def test_folders_below_the_label_are_groups(in_tmp, chord):
    for place in (
        "rock/band/first/1",
        "rock/band/second/2",
        "pop/band/3",
        "pop/4",
        "pop/wav/5",
        "rock/disc 1/6",
        "rock/7",
    ):
        path = in_tmp / "music" / f"{place}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, chord(), 16_000)
    files = listing.scan(in_tmp / "music").set_index("path")
    assert dict(files["group"]) == {
        "rock/band/first/1.wav": "band",
        "rock/band/second/2.wav": "band",
        "pop/band/3.wav": "band",
        "pop/4.wav": "pop/4.wav",
        "pop/wav/5.wav": "pop/wav/5.wav",
        "rock/disc 1/6.wav": "rock/disc 1/6.wav",
        "rock/7.wav": "rock/7.wav",
    }
    for path in files.index[~files.index.str.contains("band")]:
        (in_tmp / "music" / path).unlink()
    assert listing.scan(in_tmp / "music")["group"].is_unique, "a folder that holds most says nothing"


def test_what_is_not_a_dataset(in_tmp):
    with pytest.raises(listing.SourceError, match="does not exist"):
        listing.scan(in_tmp / "nowhere")
    (in_tmp / "hollow" / "label").mkdir(parents=True)
    with pytest.raises(listing.SourceError, match="it is empty"):
        listing.scan(in_tmp / "hollow")
    (in_tmp / "song.mp3").write_bytes(b"x")
    with pytest.raises(listing.SourceError, match=r"neither a folder nor a \.csv"):
        listing.scan(in_tmp / "song.mp3")
    (in_tmp / "latin.csv").write_bytes("path,label\nÜ.wav,x\n".encode("latin-1"))
    with pytest.raises(listing.SourceError, match="line 2: it is not in UTF-8: save it again as CSV UTF-8"):
        listing.scan(in_tmp / "latin.csv")


def test_a_file_without_a_label_or_with_an_undecodable_name(songs, in_tmp):
    root, _ = songs
    (root / "loose.wav").write_bytes(b"x")
    (Path(os.fsdecode(os.fsencode(root) + b"/rock 'n' roll/\xff.wav"))).write_bytes(b"x")
    problems = listing.scan(root)["problem"].tolist()
    assert sum("not in a label's folder" in problem for problem in problems) == 1
    assert sum("not UTF-8" in problem for problem in problems) == 1


@pytest.mark.parametrize("as_csv", [False, True])
def test_a_relative_path_is_of_the_project_in_its_worktrees_too(songs, in_tmp, monkeypatch, as_csv):
    """A retraining works elsewhere, and must find the same music and write the same manifest; and so does the project."""
    root, _ = songs
    given = os.path.relpath(root, in_tmp)
    if as_csv:
        lines = [f"{path.relative_to(root)},{path.parent.name}" for path in sorted(root.rglob("a*.wav"))]
        (root / "list.csv").write_text("\n".join(["path,label", *lines]))
        given = f"{given}/list.csv"
    entry = {"path": given, "fingerprint": listing.fingerprint(listing.scan(in_tmp / given))}
    worktree = in_tmp / ".cache/retrain/x"
    found = []
    for place in (in_tmp, worktree):
        (place / "raw").mkdir(parents=True)
        monkeypatch.chdir(place)
        figures = folder.build(Path("raw"), entry)
        clips = folder.clips(Path("raw"), entry)
        good, bad = manifest.build(clips, Path("raw"), {"workers": 1})
        found.append((figures, clips.to_dict(), good.to_dict(), bad.to_dict()))
        monkeypatch.setenv("CONSERVATORY_PROJECT", str(in_tmp))  # as `conservatory retrain` has it
    assert found[0] == found[1]
    assert len(good) and all(os.path.isabs(path) and os.path.exists(path) for path in good["path"])


@pytest.mark.parametrize("as_csv", [False, True])
def test_events_beside_the_audio_are_part_of_the_dataset(songs, in_tmp, as_csv):
    root, _ = songs
    name, other = 'Übung/a "quoted" näme 0.wav', "rock 'n' roll/a \"quoted\" näme 1.flac"
    source = root
    if as_csv:
        source = root / "mine.csv"
        pd.DataFrame({"path": [name, other], "label": ["x", "y"]}).to_csv(source, index=False)
    without = listing.fingerprint(listing.scan(source))
    table = pd.DataFrame({"path": name, "label": ["drums", "voice"], "onset_s": [0.5, 0], "offset_s": [1.25, 4]})
    table.to_csv(root / "events.csv", index=False)
    files = listing.scan(source)
    entry = {"module": "folder", "path": str(source), "fingerprint": listing.fingerprint(files)}
    assert entry["fingerprint"] != without and (files["problem"] == listing.OF_EVENTS).sum() == 1
    (raw := in_tmp / "raw").mkdir()
    n_files = len(files) - 1
    assert folder.build(raw, entry)["files"] == n_files
    clips = folder.clips(raw, entry)
    assert len(clips) == n_files and "events.csv" not in set(clips["title"])
    good, bad = manifest.build(clips, raw)
    found = manifest.events_of(folder, raw, entry, good, bad, "mine")
    wanted = [["event", "voice", 0.0, 4.0], ["event", "drums", 0.5, 1.25]]
    assert found[["target", "label", "onset_s", "offset_s"]].to_numpy().tolist() == wanted
    assert good.set_index("clip_id")["title"][found["clip_id"][0]] == name
    with (root / "events.csv").open("a") as file:
        file.write("nowhere.wav,drums,0,1\n")
    entry["fingerprint"] = listing.fingerprint(listing.scan(source))
    folder.build(raw, entry)
    with pytest.raises(
        SystemExit, match=r"manifest mine: .*events.csv, row 4: .*nowhere.wav is no file of the dataset"
    ):
        manifest.events_of(folder, raw, entry, good, bad, "mine")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,label,onset_s\na.wav,x,1\n", "must name the columns path,label,onset_s,offset_s"),
        ("path,label,onset_s,offset_s,colour\na.wav,x,1,2,red\n", "must name the columns"),
        ("path,label,onset_s,offset_s\na.wav,x,1\n", "line 2: not as many fields as columns"),
        ("path,label,onset_s,offset_s\na.wav,x,1,2,3\n", "line 2: not as many fields as columns"),
        ("", "is empty"),
    ],
)
def test_a_table_of_events_that_is_none_is_refused(in_tmp, text, reason):
    (in_tmp / "events.csv").write_text(text)
    with pytest.raises(listing.SourceError, match=reason):
        folder.read_events(in_tmp / "events.csv")
