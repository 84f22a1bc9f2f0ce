"""Views of clips: words and notes as vectors, which file is of which clip, and the stage."""

import json
from pathlib import Path, PurePosixPath

import few_clips
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer

from pipelines import views
from pipelines.core import paths
from pipelines.models.encoders import fingerprints
from pipelines.notes.midi import write as midi
from pipelines.notes.representations import style_statistics
from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, dtype
from pipelines.predict import runs
from pipelines.stages import view
from pipelines.views import notes, words


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abcäß", min_size=1, max_size=6), min_size=1, max_size=8))
def test_a_vector_of_words_depends_on_the_words_and_not_on_their_order_or_case(said):
    one, other = words.vector(" ".join(said)), words.vector("\n".join(reversed(said)).upper().replace("SS", "ß"))
    assert one == pytest.approx(other) and np.linalg.norm(list(one.values())) == pytest.approx(1)


def test_a_vector_of_words_is_scikit_learns():
    text = "Wie soll ich dich empfangen"
    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(1, 3), n_features=512, alternate_sign=False)
    np.testing.assert_allclose(list(words.vector(text).values()), hashing.transform([text]).toarray()[0])
    assert words.vector(" \n") is None and words.from_file("é".encode()) == words.vector("é")
    with pytest.raises(ValueError, match="no UTF-8 text"):
        words.from_file(b"\xff\xfe")


def test_notes_of_a_clip_in_seconds_have_the_statistics_of_the_piece():
    beats = np.zeros(6, dtype(NOTES))
    beats["onset"], beats["duration"] = [0, 1, 2, 3, 4, 4], [1, 1, 1, 1, 2, 2]
    beats["pitch"], beats["track"] = [60, 62, 64, 65, 67, 48], [0, 0, 0, 0, 0, 1]
    table = pd.DataFrame(
        {"path": "a.flac", "voice": beats["track"], "program": 0, "pitch": beats["pitch"], "velocity": 80}
    )
    table = table.assign(onset_s=beats["onset"] * 0.4, duration_s=beats["duration"] * 0.4)
    found = notes.from_table(table.sample(frac=1, random_state=1))["a.flac"]
    assert found == pytest.approx(style_statistics.compute(beats, 6.0))


names = st.lists(st.sampled_from(["a/x", "a/y", "b/x", "b/z", "c/w"]), unique=True)


@settings(max_examples=60, deadline=None)
@given(names, names)
def test_a_file_is_matched_to_one_clip_of_its_name(clips, files):
    of = {name: f"/music/{name}.wav" for name in clips}
    try:
        found = views.matched(of, [Path(f"{name}.txt") for name in files])
    except ValueError:
        return
    assert len(set(found.values())) == len(found)
    assert all(file.stem == PurePosixPath(clip).name for clip, file in found.items())
    for clip in set(clips) & set(files):
        assert found[clip] == Path(f"{clip}.txt"), "the same folder and name is a match"


def test_folders_tell_files_of_one_name_apart():
    clips = {"1": "/m/audio/happy/ann/song.wav", "2": "/m/audio/sad/ann/song.wav", "3": "/m/audio/sad/bob/tune.wav"}
    found = views.matched(clips, [Path("sad/ann/song.txt"), Path("words/tune.txt"), Path("happy/ann/song.txt")])
    assert found == {"1": Path("happy/ann/song.txt"), "2": Path("sad/ann/song.txt"), "3": Path("words/tune.txt")}
    assert views.matched(clips, [Path("sad/ann/song.txt")]) == {"2": Path("sad/ann/song.txt")}
    with pytest.raises(
        ValueError, match="song.txt may be of /m/audio/happy/ann/song.wav or of /m/audio/sad/ann/song.wav"
    ):
        views.matched(clips, [Path("song.txt")])
    with pytest.raises(ValueError, match="/m/audio/sad/bob/tune.wav may have a/tune.txt or b/tune.txt"):
        views.matched(clips, [Path("a/tune.txt"), Path("b/tune.txt")])
    with pytest.raises(ValueError, match="no file that ends in .txt or .lrc"):
        views.files_of(Path(__file__).parent, words.SUFFIXES)


def test_a_folder_below_a_hidden_one_has_files(tmp_path):
    root = tmp_path / ".music/lyrics"
    for name in ("one.txt", ".hidden.txt", ".cache/two.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("words")
    assert views.files_of(root, words.SUFFIXES) == ([Path("one.txt")], {})


def run_view(entry, name="lyrics"):
    Path("params.yaml").write_text(yaml.safe_dump({"views": {name: {"dataset": "made", **entry}}}))
    view.main(name)
    record = json.loads(Path(f"data/records/view/{name}.json").read_text())
    return pq.read_table(f"data/views/made/{name}/view.parquet").to_pandas(), record


def test_the_stage_reads_a_folder_of_texts(in_tmp):
    few_clips.write()
    folder = in_tmp / "lyrics"
    folder.mkdir()
    for number in (0, 1, 2, 5):
        (folder / f"{number:016x}.txt").write_text(f"la la {number}")
    (folder / f"{3:016x}.txt").write_text("  ")
    (folder / f"{4:016x}.txt").write_bytes(b"\xff\xfe")
    (folder / "other.txt").write_text("of no clip")
    entry = {"kind": "words", "path": str(folder), "fingerprint": fingerprints.of(str(folder))}
    table, record = run_view(entry)
    assert table["clip_id"].tolist() == [f"{number:016x}" for number in (0, 1, 2, 5)] and table.shape[1] == 513
    checks = record["checks"]
    assert "4 of 8 clips have none" in checks["every clip has one"]["detail"]
    assert (
        "other.txt" in checks["every file has a clip"]["detail"]
        and "no UTF-8" in checks["every file can be read"]["detail"]
    )
    (folder / "other.txt").write_text("changed")
    with pytest.raises(SystemExit, match="not what params.yaml recorded"):
        run_view(entry)


def test_links_out_of_the_folder_and_large_files_are_refused_and_named(in_tmp):
    few_clips.write()
    for name in ("lyrics", "elsewhere"):
        (in_tmp / name).mkdir()
    folder = in_tmp / "lyrics"
    secret = in_tmp / "elsewhere/secret.txt"
    secret.write_text("not yours")
    (folder / f"{0:016x}.txt").write_text("la la")
    (folder / f"{1:016x}.txt").symlink_to(secret)
    (folder / f"{2:016x}.txt").symlink_to(folder / f"{0:016x}.txt")
    (folder / f"{3:016x}.txt").write_text("la" * (views.LARGEST // 2))
    (folder / f"{4:016x}.txt").write_text("la" * (views.LARGEST // 2) + "!")
    (folder / f"{5:016x}.txt").symlink_to(in_tmp / "nothing")
    (folder / "more").symlink_to(in_tmp / "elsewhere")
    files, refused = views.files_of(folder, words.SUFFIXES)
    assert [file.stem for file in files] == [f"{number:016x}" for number in (0, 2, 3, 4)]
    assert refused == {
        f"{1:016x}.txt": views.LEAVES,
        f"{5:016x}.txt": "a link to nothing",
        "more": "a link to a folder, which is not entered: put the folder itself there",
    }
    table, record = run_view({"kind": "words", "path": str(folder), "fingerprint": fingerprints.of(str(folder))})
    assert table["clip_id"].tolist() == [f"{number:016x}" for number in (0, 2, 3)]
    assert record["figures"]["unread"] == 4
    with pytest.raises(ValueError, match="it is larger than 1 MiB"):
        views.content(folder / f"{4:016x}.txt")


def test_the_stage_reads_a_folder_of_midi_files(in_tmp):
    few_clips.write()
    (in_tmp / "midi").mkdir()
    piece = np.zeros(3, dtype(NOTES))
    piece["onset"], piece["duration"], piece["pitch"], piece["velocity"] = [0, 1, 2], 1, [60, 64, 67], 80
    maps = (np.empty(0, dtype(schema)) for schema in (TEMPOS, METRES, KEYS))
    whole = Piece(piece, *maps, length=3.0, length_s=1.5, division=480, n_tracks=1)
    (in_tmp / f"midi/{1:016x}.mid").write_bytes(midi.write(whole)[0])
    entry = {"kind": "notes", "path": "midi", "fingerprint": fingerprints.of("midi")}
    table, _ = run_view(entry)
    assert table["clip_id"].tolist() == [f"{1:016x}"]
    assert table.drop(columns="clip_id").iloc[0].to_dict() == pytest.approx(
        style_statistics.compute(piece, 3.0), abs=1e-6
    )


def test_a_dataset_without_words_says_what_to_do(in_tmp):
    few_clips.write()
    with pytest.raises(
        SystemExit, match="dataset 'made' has no words of its own .*name your folder of files as `path`"
    ):
        run_view({"kind": "words"})


def test_words_that_the_datasets_module_left(in_tmp):
    few_clips.write("data/raw/made/")
    raw = paths.raw("made")
    raw.mkdir(parents=True)
    pd.DataFrame({"path": [f"{2:016x}.flac"], "words": ["Amor"]}).to_parquet(raw / "words.parquet")
    found, record = run_view({"kind": "words"})
    assert found["clip_id"].tolist() == [f"{2:016x}"] and record["figures"]["missing"] == 7


def test_a_run_on_a_view_predicts_no_files_of_sound():
    entry = {
        "task": "classification",
        "dataset": "made",
        "from": "views",
        "reads": "lyrics",
        "model": "knn",
        "seeds": 1,
    }
    shared = {"classification": {"n_bootstrap": 9, "seed": 1}}
    with pytest.raises(ValueError, match="reads data/views/made/lyrics, for which a file of sound is not enough"):
        runs.load("by_words", {"runs": {"by_words": {**entry, "target": "family"}}, "tasks": shared})
