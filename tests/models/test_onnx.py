"""Exported taggers are the taggers: all nine, for any batch and from sound; the same file every time; clear refusals."""

import os
import subprocess
import sys

import numpy as np
import onnx as onnx_format
import pytest
import torch
from helpers import PROJECT, some
from torch import nn

from pipelines.inference import fronts, onnx
from pipelines.models import export, taggers

NAMES = ("attention", "crnn", "fcn", "hcnn", "musicnn", "sample", "se", "short", "short_res")
N_TAGS = 7
CLOSE = 1e-4  # of a probability, and of the largest value of an embedding


def sound(n_chunks, n_samples):
    """Chunks of int16: decaying tones over noise, each its own loudness."""
    rng, t = np.random.default_rng(n_samples), np.arange(n_samples) / 16_000
    tones = [np.sin(2 * np.pi * f * t) * np.exp(-(t % 1)) for f in rng.uniform(60, 4000, n_chunks)]
    y = np.stack(tones) + 0.05 * rng.standard_normal((n_chunks, n_samples))
    return (y * rng.uniform(100, 8000, (n_chunks, 1))).astype("int16")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """`exported(name)`: (tagger, its session, what its config must say), exported once."""
    folder, made = tmp_path_factory.mktemp("exported"), {}

    def make(name):
        if name not in made:
            torch.manual_seed(3)
            tagger, module = taggers.create(name, N_TAGS, 0.1), taggers.load_module(name)
            # batch norm as after training: its statistics are those of sound
            for layer in tagger.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.momentum = 1.0
            with torch.no_grad():
                features = tagger.front(torch.from_numpy(sound(3, module.CHUNK) / np.float32(32768)))
                tagger.train().classify(features)
            tagger.eval()
            export.export(tagger, features, folder / f"{name}.onnx")
            config = {"front": module.FRONT, "front_parameters": module.READS.get(module.FRONT, {})}
            made[name] = tagger, onnx.session(folder / f"{name}.onnx"), config
        return made[name]

    return make


@pytest.mark.parametrize("n_chunks", [1, 5])
@pytest.mark.parametrize("name", some(NAMES, "sample", "short"))
@torch.no_grad()
def test_any_batch_equals_pytorch(exported, name, n_chunks):
    tagger, session, _ = exported(name)
    y = sound(n_chunks, taggers.load_module(name).CHUNK)
    features = tagger.front(torch.from_numpy(y / np.float32(32768)))
    logits, wanted = tagger.classify(features)
    probabilities, embedding = session.run(None, {"features": features.numpy()})
    assert probabilities.shape == (n_chunks, N_TAGS) and embedding.shape == wanted.shape
    np.testing.assert_allclose(probabilities, torch.sigmoid(logits), atol=CLOSE)
    np.testing.assert_allclose(embedding, wanted, atol=CLOSE * float(wanted.abs().max()))
    assert n_chunks == 1 or probabilities.std(axis=0).max() > 1e-3, "the chunks are told apart"


@pytest.mark.parametrize("name", some(NAMES, "sample", "short"))
@torch.no_grad()
def test_from_sound_equals_pytorch_from_sound(exported, name):
    """The front end without torch is the tagger's own; int16 and float32 sound are heard alike, and so are features."""
    tagger, session, config = exported(name)
    y = sound(2, taggers.load_module(name).CHUNK)
    floats = y / np.float32(32768)
    probabilities, embeddings = tagger(torch.from_numpy(floats))
    scale = float(embeddings.abs().max())
    for row in range(2):
        heard = onnx.hear(session, config, y[row])
        np.testing.assert_allclose(heard[0], probabilities[row], atol=CLOSE)
        np.testing.assert_allclose(heard[1], embeddings[row], atol=CLOSE * scale)
        again = onnx.hear(session, config, floats[row])
        np.testing.assert_array_equal(again[0], heard[0])
        features = fronts.compute(config["front"], y[row], config["front_parameters"])
        if features.ndim == 2:
            np.testing.assert_array_equal(onnx.hear(session, config, features)[1], heard[1])


@pytest.mark.system
def test_the_same_weights_are_the_same_file_in_another_process(tmp_path):
    code = (
        "import sys, torch; from pipelines.models import export, taggers; torch.manual_seed(1);"
        "tagger = taggers.create('crnn', 3, 0.05).eval();"
        "export.export(tagger, torch.zeros(2, 1813, 96), sys.argv[1])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", code, str(tmp_path / "1.onnx")]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    torch.manual_seed(1)
    export.export(taggers.create("crnn", 3, 0.05).eval(), torch.ones(3, 1813, 96), tmp_path / "2.onnx")
    one, two = ((tmp_path / f"{number}.onnx").read_bytes() for number in (1, 2))
    assert one == two
    for trace in (str(PROJECT), sys.prefix, "File "):
        assert trace.encode() not in one, "nothing of the machine it was made on"
    model = onnx_format.load(tmp_path / "1.onnx")
    assert [entry.version for entry in model.opset_import if not entry.domain] == [export.OPSET]
    assert not any(tensor.external_data for tensor in model.graph.initializer), "one file"


class Counted(nn.Module):
    """A batch's size as a plain number, so that it holds for that batch alone."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(4, 3)

    def classify(self, features):
        assert len(features) == 2
        return self.dense(features), features


def test_what_cannot_be_exported_is_refused(tmp_path):
    tagger = taggers.create("sample", 3, 0.05)
    with pytest.raises(ValueError, match="exported in eval mode"):
        export.export(tagger, torch.zeros(2, 59_049), tmp_path / "x.onnx")
    with pytest.raises(ValueError, match="two rows"):
        export.export(tagger.eval(), torch.zeros(1, 59_049), tmp_path / "x.onnx")
    with pytest.raises(ValueError, match=r"Counted\.classify cannot be exported for any batch"):
        export.export(Counted().eval(), torch.zeros(2, 4), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir()), "nothing half-written"


def test_what_is_no_exported_tagger_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="conservatory run"):
        onnx.session(tmp_path / "none.onnx")
    with pytest.raises(FileNotFoundError, match="holds no exported tagger"):
        onnx.load(tmp_path)
    tagger = taggers.create("sample", 3, 0.05).eval()
    export.export(tagger, torch.zeros(2, 59_049), tmp_path / "good.onnx")
    good = (tmp_path / "good.onnx").read_bytes()
    for name, content in {"cut": good[: len(good) // 2], "text": b"<html>404</html>", "empty": b""}.items():
        (tmp_path / f"{name}.onnx").write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}\.onnx is (damaged|no exported tagger)"):
            onnx.session(tmp_path / f"{name}.onnx")
    other = onnx_format.load(tmp_path / "good.onnx")
    other.graph.input[0].name = "x"
    for node in other.graph.node:
        for place, name in enumerate(node.input):
            if name == "features":
                node.input[place] = "x"
    onnx_format.save(other, tmp_path / "other.onnx")
    with pytest.raises(ValueError, match=r"other\.onnx is no exported tagger: it has inputs \['x'\]"):
        onnx.session(tmp_path / "other.onnx")


def test_an_unknown_front_end_is_refused():
    with pytest.raises(ValueError, match="no feature 'log_mell'.* do you mean log_mel"):
        fronts.compute("log_mell", np.zeros(4096, np.float32))


def test_every_tagger_says_what_its_front_end_makes():
    for name in NAMES:
        module = taggers.load_module(name)
        assert module.FRONT in ("waveform", "power", *module.READS)
        frames = [parameters for reads, parameters in module.READS.items() if reads != "waveform"]
        assert all("hop_length" in parameters for parameters in frames), "chunks of frames are cut by it"
