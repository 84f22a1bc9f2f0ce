"""Tagging one's own files: what the tagger itself says of each chunk, for any length, and bad files beside good ones."""

import hashlib
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image
from typer.testing import CliRunner

from pipelines import novelty, recipe
from pipelines.audio.probe import Unreadable
from pipelines.cli import app
from pipelines.core import embeddings, training_clips
from pipelines.core.files import read_json, sha256, write_json
from pipelines.core.tables import write_table
from pipelines.models import export, taggers
from pipelines.predict import taggers as predict
from pipelines.predict.files import music

TAGS = ["reed", "pipe", "organ", "$lots", "brass", "piano", "guitar"]
CHUNK = 59_049


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small untrained tagger, saved as a trained one is."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("tagger")
    taggers.save(taggers.create("sample", 7, 0.1), {"name": "sample", "width": 0.1, "tags": TAGS, "chunk": CHUNK}, path)
    return path


@pytest.fixture(scope="module")
def network(folder):
    return taggers.load(folder)[0]


@pytest.fixture(scope="module", params=["trained", "exported"])
def model(folder, network, request, tmp_path_factory):
    """By PyTorch, and by ONNX Runtime."""
    if request.param == "exported":
        folder = tmp_path_factory.mktemp("exported")
        lay_out_export(network, folder)
    return predict.load_model(str(folder))


def lay_out_export(network, folder, weights=""):
    export.export(network, torch.zeros(2, CHUNK), folder / "model.onnx")
    config = {"name": "sample", "tags": TAGS, "chunk": CHUNK, "front": "waveform", "front_parameters": {}}
    write_json(folder / "config.json", config | {"weights": weights})


def noise(path, n_samples, gain=1):
    path.parent.mkdir(exist_ok=True)
    y = (3000 * gain * np.random.default_rng(n_samples).standard_normal(n_samples)).astype("int16")
    soundfile.write(path, y, 16_000, subtype="PCM_16")
    return y / np.float32(32768)


# one chunk, a rest that is not heard, and more than one batch and one block of the decoder
@pytest.mark.parametrize("n_samples", [CHUNK, 3 * CHUNK + 1000, 13 * CHUNK - 1])
def test_each_chunk_is_heard_once(model, network, tmp_path, n_samples):
    y = noise(tmp_path / "y.wav", n_samples)
    found = predict.predict(*model, tmp_path / "y.wav")
    with torch.no_grad():
        chunks = torch.from_numpy(y[: n_samples // CHUNK * CHUNK].reshape(-1, CHUNK))
        probabilities, embedding = network(chunks)
    np.testing.assert_allclose(found["timeline"], probabilities, atol=1e-5)
    np.testing.assert_allclose(found["probabilities"], probabilities.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found["embedding"], embedding.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found["start_s"], np.arange(n_samples // CHUNK) * CHUNK / 16_000)
    assert found["duration_s"] == n_samples / 16_000
    assert found["decoded_s"] == n_samples // CHUNK * CHUNK / 16_000


def test_a_short_file_is_played_again(model, network, tmp_path):
    y = noise(tmp_path / "y.wav", 20_000)
    found = predict.predict(*model, tmp_path / "y.wav")
    with torch.no_grad():
        probabilities, _ = network(torch.from_numpy(np.concatenate([y, y, y])[None, :CHUNK]))
    np.testing.assert_allclose(found["timeline"], probabilities, atol=1e-5)
    assert found["decoded_s"] == found["duration_s"] == 20_000 / 16_000


def test_the_command(folder, tmp_path):
    (tmp_path / "a").mkdir()
    for path, n_samples in ((tmp_path / "y.wav", 70_000), (tmp_path / "a/y.wav", CHUNK)):
        noise(path, n_samples)
    (tmp_path / "b\nad.mp3").write_text("hello")
    files = [str(tmp_path / name) for name in ("y.wav", "b\nad.mp3", "none.wav", "a/y.wav")]
    options = ["--json", str(tmp_path / "out.json"), "--pictures", str(tmp_path / "pictures"), "--top", "2"]
    done = CliRunner().invoke(app, ["predict", str(folder), *files, *options])
    assert done.exit_code == 1
    written = json.loads((tmp_path / "out.json").read_text())
    assert [entry["path"] for entry in written["files"]] == [files[0], files[3]]
    assert [entry["path"] for entry in written["failed"]] == files[1:3]
    assert "not audio" in written["failed"][0]["reason"] and "does not exist" in written["failed"][1]["reason"]
    tags = written["files"][0]["tags"]
    likeliest = sorted(tags, key=tags.get)[::-1][:2]
    said = f"y.wav  {likeliest[0]} {tags[likeliest[0]]:.2f}, {likeliest[1]} {tags[likeliest[1]]:.2f}"
    assert f"{said}  (decoded 3.7 of 4.4 s)\n" in done.output and done.output.count("decoded") == 1
    assert [(entry["duration_s"], entry["decoded_s"]) for entry in written["files"]] == [(4.375, 3.691), (3.691, 3.691)]
    weights = folder / "model.safetensors"
    assert written["architecture"] == "sample" and written["weights"] == {
        "file": str(weights),
        "sha256": sha256(weights),
    }
    assert "2 of 4 files could not be used" in done.output and "/b ad.mp3: not audio" in done.output
    for name in ("y.wav.png", "y.wav-2.png"):
        assert np.asarray(Image.open(tmp_path / "pictures" / name).convert("L")).std() > 10


def test_folders_and_files_mixed(folder, tmp_path):
    for name in ("b.wav", "a/2.flac", "a/10.flac", "a/.hidden.wav", ".cache/x.wav", "named.dat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.tile([0.5, -0.5], 99), 16_000, format="FLAC" if "flac" in name else "WAV")
    for name in ("a/notes.txt", "a/cover.jpg", "a/song.m4a"):
        (tmp_path / name).write_text("no music")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a/up").symlink_to(tmp_path, target_is_directory=True)
    found, failed, n_passed_over = music([tmp_path / "b.wav", tmp_path, tmp_path / "empty", tmp_path / "a/notes.txt"])
    assert [os.path.relpath(path, tmp_path) for path in found] == [
        "b.wav",
        "named.dat",
        "a/10.flac",
        "a/2.flac",
        "a/notes.txt",
    ]
    assert n_passed_over == 2
    assert [(os.path.relpath(entry["path"], tmp_path), entry["reason"]) for entry in failed] == [
        ("a/song.m4a", ".m4a cannot be read: convert it to FLAC or WAV"),
        ("empty", "the folder contains no music"),
    ]
    (tmp_path / "once").mkdir()
    shutil.copy(tmp_path / "b.wav", tmp_path / "once/b.wav")
    _, failed, _ = music([tmp_path / "once/b.wav", tmp_path / "once"])
    assert [entry["reason"] for entry in failed] == ["the folder contains no music that was not named before"]
    shutil.rmtree(tmp_path / "once")
    out = tmp_path / "out.json"
    done = CliRunner().invoke(
        app, ["predict", str(folder), str(tmp_path / "a"), str(tmp_path / "c.wav"), "--json", str(out)]
    )
    assert done.exit_code == 1 and [
        line for line in done.output.splitlines() if line.startswith(f"{tmp_path}/a/10.flac")
    ]
    assert f"c.wav: the file does not exist; do you mean {tmp_path / 'b.wav'}?" in done.output
    assert (
        "2 files that are not audio were ignored." in done.output and "2 of 4 files could not be used." in done.output
    )
    written = read_json(out)
    assert [os.path.basename(entry["path"]) for entry in written["files"]] == ["10.flac", "2.flac"]
    assert len(written["failed"]) == 2 and written["passed_over"] == 2
    assert not any("outside_training_music" in entry for entry in written["files"]), "there is no space to say it from"
    done = CliRunner().invoke(app, ["predict", str(folder), str(tmp_path / "empty")])
    assert done.exit_code == 1 and "1 of 1 files could not be used." in done.output


@pytest.fixture(scope="module")
def laid_out(network, tmp_path_factory):
    """A project whose tagger was trained on `music`: 40 clips of two classes trained on and 40 held out, by dvc.lock."""
    at = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(at)
        lay_out_project(at, network)
    return at


@pytest.fixture
def trained(laid_out, in_tmp):
    shutil.copytree(laid_out, in_tmp, dirs_exist_ok=True)
    return in_tmp


def lay_out_project(in_tmp, network):
    folders = {place: in_tmp / f"models/{place}/sample" for place in ("tagging", "onnx")}
    config = {"name": "sample", "width": 0.1, "tags": TAGS, "chunk": CHUNK, "dataset": "music"}
    taggers.save(network, config, folders["tagging"])
    lay_out_export(network, folders["onnx"], sha256(folders["tagging"] / "model.safetensors"))
    for n in range(80):
        noise(in_tmp / f"clips/{n}.wav", CHUNK + n, gain=1 + n % 2)
    hear, found = predict.load_model("sample")
    vectors = np.stack([predict.predict(hear, found, in_tmp / f"clips/{n}.wav")["embedding"] for n in range(80)])
    ids = [f"clip{n}" for n in range(80)]
    embeddings.write(novelty.SPACE / "sample.parquet", ids, vectors)
    roles = ["reference"] * 40 + ["held_out"] * 40
    clips = pd.DataFrame({"clip_id": ids, "group": ids, "role": roles, "target_style": ["a", "b"] * 40})
    write_table(clips, novelty.SPACE / "clips.parquet", training_clips.CLIPS)
    md5 = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folders["onnx"].iterdir()}
    embedding = hashlib.md5((novelty.SPACE / "sample.parquet").read_bytes()).hexdigest()
    entry = {
        "cmd": "embed",
        "deps": [{"path": "models/onnx/sample", "md5": recipe.folder_hash(md5)}],
        "outs": [{"path": "data/embeddings/music/sample.parquet", "md5": embedding}],
    }
    (in_tmp / "dvc.lock").write_text(recipe.HEAD + "  embed@music-sample: " + json.dumps(entry) + "\n")


def test_music_unlike_the_training_music_is_said_to_be(trained):
    _, config = predict.load_model("sample")
    is_outside, dataset = novelty.detector(config)
    assert dataset == "music"
    # the threshold's own meaning: of the held-out clips 5% lie outside
    vectors = embeddings.read(novelty.SPACE / "sample.parquet", [f"clip{n}" for n in range(40, 80)])
    assert sum(map(is_outside, vectors)) == 2
    (trained / "new").mkdir()
    noise(trained / "new/like.wav", CHUNK + 1000)
    t = np.arange(CHUNK) / 16_000
    for name, hz in (("tone.wav", 440), ("high.wav", 3000)):
        soundfile.write(trained / f"new/{name}", 0.9 * np.sin(2 * np.pi * hz * t), 16_000)
    done = CliRunner().invoke(app, ["predict", "sample", "new", "--json", "out.json"])
    assert done.exit_code == 0, done.output
    lines = {
        line.split("  ")[0]: line.endswith("(outside)") for line in done.output.splitlines() if line.startswith("new/")
    }
    assert lines == {"new/high.wav": True, "new/like.wav": False, "new/tone.wav": True}
    assert (
        "2 of 3 files lie outside the music that sample was trained on (farther from it than 95% of the held-out clips of "
        "music): their tags are guesses." in done.output
    )
    assert [entry["outside_training_music"] for entry in read_json("out.json")["files"]] == [True, False, True]
    done = CliRunner().invoke(app, ["predict", "sample", "new/tone.wav"])
    assert (
        "\nnew/tone.wav lies outside the music that sample was trained on" in done.output
        and "its tags are" in done.output
    )


@pytest.mark.parametrize(
    "change", ["no space", "another model", "another space", "no lock", "published", "few", "elsewhere"]
)
def test_nothing_is_said_of_music_where_the_training_music_is_not_known(trained, change):
    name = "sample"
    if change == "no space":
        shutil.rmtree(novelty.SPACE)
    elif change == "another model":
        write_json("models/onnx/sample/config.json", read_json("models/onnx/sample/config.json") | {"opset": 1})
    elif change == "another space":
        embeddings.write(novelty.SPACE / "sample.parquet", ["clip0"], np.zeros((1, 4), "float32"))
    elif change == "no lock":
        (trained / "dvc.lock").unlink()
    elif change == "published":
        write_json(
            "models/tagging/sample/config.json", read_json("models/tagging/sample/config.json") | {"dataset": ""}
        )
    elif change == "few":
        clips = pd.read_parquet(novelty.SPACE / "clips.parquet")
        write_table(clips[: 40 + novelty.MIN_HELD_OUT - 1], novelty.SPACE / "clips.parquet", training_clips.CLIPS)
    else:
        name = str(shutil.copytree("models/onnx/sample", trained / "elsewhere/sample"))
    assert novelty.detector(predict.load_model(name)[1]) is None
    done = CliRunner().invoke(app, ["predict", name, "clips/0.wav"])
    assert done.exit_code == 0 and "outside" not in done.output


def test_what_is_no_model_is_refused(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="there is none yet"):
        predict.load_model("short")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tagging").symlink_to(folder.parent)
    with pytest.raises(ValueError, match=f"no trained tagger and no fitted run 'short'; there is .*{folder.name}"):
        predict.load_model("short")
    with pytest.raises(
        ValueError, match=rf"no trained tagger and no fitted run '{folder.name}r' \(do you mean {folder.name}\?\)"
    ):
        predict.load_model(f"{folder.name}r")
    torch.save(taggers.create("crnn", 3).state_dict(), "x.pth")
    with pytest.raises(ValueError, match="give --architecture"):
        predict.load_model("x.pth")
    with pytest.raises(ValueError, match="has 3 tags, and --tags lists 2"):
        predict.load_model("x.pth", "crnn", ["a", "b"])
    assert predict.load_model("x.pth", "crnn")[1]["tags"] == ["tag 0", "tag 1", "tag 2"]
    assert predict.load_model("x.pth", "crnn")[1]["sha256"] == sha256("x.pth")
    with pytest.raises(ValueError, match="no tagger 'layers'"):
        predict.load_model("x.pth", "layers")
    done = CliRunner().invoke(app, ["predict", "x.pth", "y.wav"])
    assert done.exit_code == 2 and "give --architecture" in done.output


@pytest.mark.system
def test_an_export_is_used_only_if_it_is_of_these_weights(tmp_path, monkeypatch, folder, network):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tagging").symlink_to(folder.parent)
    weights = sha256(folder / "model.safetensors")
    for found, kind in ((weights, "onnx"), ("of others", "torch")):
        lay_out_export(network, tmp_path / "models/onnx" / folder.name, found)
        hear, config = predict.load_model(folder.name)
        assert kind in hear.__qualname__ and config["tags"] == TAGS
        assert config["sha256"] == (sha256("models/onnx/" + folder.name + "/model.onnx") if kind == "onnx" else weights)


def test_what_would_end_badly_is_refused_before_the_work(folder, tmp_path):
    noise(tmp_path / "y.wav", CHUNK)
    for options, said in (
        (["--json", str(tmp_path)], "that is a folder; give a file name"),
        (["--json", str(tmp_path / "y.wav/out.json")], "y.wav is not a folder"),
        (["--pictures", str(tmp_path / "y.wav")], "that is a file; name a folder"),
        (["--architecture", "fcn"], "are for a published .pth"),
        (["--tags", "jamendo"], "are for a published .pth"),
    ):
        done = CliRunner().invoke(app, ["predict", str(folder), str(tmp_path / "y.wav"), *options])
        assert done.exit_code == 2 and said in " ".join(done.output.split()), done.output


def test_nothing_to_hear(model, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(70_000), 16_000)
    with pytest.raises(Unreadable, match="silent: its peak, channels averaged, is below audio.silence_dbfs"):
        predict.predict(*model, tmp_path / "silent.wav")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    with pytest.raises(Unreadable, match="no samples"):
        predict.predict(*model, tmp_path / "empty.wav")
