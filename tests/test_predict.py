"""Tagging one's own files: what the tagger itself says of each chunk, for any length, and bad files beside good ones."""

import json

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from typer.testing import CliRunner

from pipelines import predict
from pipelines.audio.probe import Unreadable
from pipelines.cli import app
from pipelines.models import export, taggers
from pipelines.store.files import sha256, write_json

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
    config = {"name": "sample", "tags": TAGS, "chunk": CHUNK, "front": "waveform", "n_mels": None, "weights": weights}
    write_json(folder / "config.json", config)


def noise(path, n_samples):
    y = (3000 * np.random.default_rng(n_samples).standard_normal(n_samples)).astype("int16")
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
    assert found["heard_s"] == n_samples // CHUNK * CHUNK / 16_000


def test_a_short_file_is_played_again(model, network, tmp_path):
    y = noise(tmp_path / "y.wav", 20_000)
    found = predict.predict(*model, tmp_path / "y.wav")
    with torch.no_grad():
        probabilities, _ = network(torch.from_numpy(np.concatenate([y, y, y])[None, :CHUNK]))
    np.testing.assert_allclose(found["timeline"], probabilities, atol=1e-5)
    assert found["heard_s"] == found["duration_s"] == 20_000 / 16_000


def test_the_command(folder, tmp_path):
    (tmp_path / "a").mkdir()
    for path, n_samples in ((tmp_path / "y.wav", 70_000), (tmp_path / "a/y.wav", CHUNK)):
        noise(path, n_samples)
    (tmp_path / "bad.mp3").write_text("hello")
    files = [str(tmp_path / name) for name in ("y.wav", "bad.mp3", "none.wav", "a/y.wav")]
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
    assert f"{said}  (heard 3.7 of 4.4 s)\n" in done.output and done.output.count("heard") == 1
    assert [(entry["duration_s"], entry["heard_s"]) for entry in written["files"]] == [(4.375, 3.691), (3.691, 3.691)]
    weights = folder / "model.safetensors"
    assert written["architecture"] == "sample" and written["weights"] == {
        "file": str(weights),
        "sha256": sha256(weights),
    }
    assert "2 of 4 files could not be used" in done.output
    for name in ("y.wav.png", "y.wav-2.png"):
        assert np.asarray(Image.open(tmp_path / "pictures" / name).convert("L")).std() > 10


def test_what_is_no_model_is_refused(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="there is none yet"):
        predict.load_model("short")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tagging").symlink_to(folder.parent)
    with pytest.raises(ValueError, match=f"no trained tagger 'short': there is .*{folder.name}"):
        predict.load_model("short")
    torch.save(taggers.create("crnn", 3).state_dict(), "x.pth")
    with pytest.raises(ValueError, match="give --architecture"):
        predict.load_model("x.pth")
    with pytest.raises(ValueError, match="has 3 tags, and --tags names 2"):
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
        (["--json", str(tmp_path)], "that is a folder; name a file"),
        (["--json", str(tmp_path / "y.wav/out.json")], "y.wav is no folder"),
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
