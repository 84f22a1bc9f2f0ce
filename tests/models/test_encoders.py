"""Encoders that hear clips: tiny models with random weights, saved here, against transformers called directly, closed forms."""

import json
import sys

import needs
import numpy as np
import onnx
import pandas as pd
import pytest
import soxr
import torch
from onnx import TensorProto, helper

from pipelines.core import shards, torchaudio
from pipelines.core.tables import write_table
from pipelines.models.encoders import encoding, open_encoder

RATE = 16_000
SOUND = (np.random.default_rng(0).standard_normal(9_000) * 3_000).astype(np.int16)
FLOAT = SOUND.astype(np.float32) / 32_768


@pytest.fixture
def source(tmp_path):
    """The waveform shards of two clips: one of 9,000 samples, and one of its first 2,000."""
    with shards.writer(shards.shard_path(tmp_path / "waveform", 0), "int16", ()) as write:
        places = [write([SOUND]), write([SOUND[:2_000]])]
    index = pd.DataFrame({"clip_id": ["long", "short"], "shard": 0}).assign(
        offset=[place for place, _ in places], length=[length for _, length in places]
    )
    write_table(index.astype({"shard": "int32"}), tmp_path / "waveform/index.parquet", shards.INDEX)
    return tmp_path / "waveform"


def save_onnx(path, shape=("batch", "samples"), frames=False, extra=()):
    """x -> [mean x, 2 * mean x] over the samples; with `frames` as two frames, [a, b] and 3 [a, b]."""
    samples = next(number for number, size in enumerate(shape) if size != 1 and number) if len(shape) > 1 else 0
    nodes = [
        helper.make_node("ReduceMean", ["x", "axis"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "flat"], ["one"]),
        helper.make_node("MatMul", ["one", "weights"], ["made"]),
    ]
    weights = np.array([[1, 2]], np.float32)
    tensors = {
        "axis": np.array([samples]),
        "flat": np.array([1, 1]),
        "weights": weights,
        "frames": np.array([[1], [3]], np.float32),
    }
    if frames:
        nodes[2].output[0] = "pooled"
        nodes += [
            helper.make_node("MatMul", ["frames", "pooled"], ["two"]),
            helper.make_node("Reshape", ["two", "three"], ["made"]),
        ]
        tensors |= {"three": np.array([1, 2, 2])}
    used = {name for node in nodes for name in node.input}
    kinds = {"i": TensorProto.INT64, "f": TensorProto.FLOAT}
    given = [
        helper.make_tensor(name, kinds[value.dtype.kind], value.shape, value.ravel())
        for name, value in ((name, np.asarray(value)) for name, value in tensors.items())
        if name in used
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", *extra)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("made", "mean")]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return {"kind": "onnx", "path": str(path), "sample_rate": RATE, "chunk_s": 0.25, "output": "made"}


def test_an_onnx_model_hears_chunks_at_its_own_rate(tmp_path, source):
    entry = save_onnx(tmp_path / "m.onnx")
    found = list(encoding.encode(open_encoder(entry), source, ["short", "long"], RATE, 2))
    means = FLOAT[:2_000].mean(), np.mean([FLOAT[:4_000].mean(), FLOAT[4_000:8_000].mean()])
    np.testing.assert_allclose(found, [[mean, 2 * mean] for mean in means], rtol=1e-4)
    [found] = encoding.encode(open_encoder(entry | {"sample_rate": 8_000}), source, ["short"], RATE, 1)
    mean = soxr.resample(FLOAT[:2_000], RATE, 8_000, quality="HQ").mean()
    np.testing.assert_allclose(found, [mean, 2 * mean], rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, "samples"), ("batch", 1, "samples"), (1, 3_000, 1), ("samples",)])
def test_an_onnx_model_is_fed_the_shape_it_has(tmp_path, source, shape):
    entry = save_onnx(tmp_path / "m.onnx", shape, frames=True)
    encoder = open_encoder(entry)
    assert encoder.chunk == (3_000 if 3_000 in shape else 4_000)
    [found] = encoding.encode(encoder, source, ["short"], RATE, 1)
    mean = np.resize(FLOAT[:2_000], 3_000 if 3_000 in shape else 2_000).mean()
    np.testing.assert_allclose(found, [2 * mean, 4 * mean], rtol=1e-4)  # the mean of two frames
    for how, factor in (("first", 1), ("max", 3 if mean > 0 else 1)):
        [found] = encoding.encode(open_encoder(entry | {"pooling": how}), source, ["short"], RATE, 1)
        np.testing.assert_allclose(found, [factor * mean, 2 * factor * mean], rtol=1e-4)


def test_a_wrong_onnx_model_is_told(tmp_path, source):
    entry = save_onnx(tmp_path / "m.onnx")
    two = save_onnx(tmp_path / "two.onnx", extra=("mask",))
    (tmp_path / "half.onnx").write_bytes((tmp_path / "m.onnx").read_bytes()[:40])
    for wrong, said in [
        (entry | {"output": "embedding"}, "has no output 'embedding'; it has made, mean"),
        (
            {key: value for key, value in entry.items() if key != "output"},
            "several outputs: write `output`, one of made",
        ),
        (entry | {"input": "audio"}, "has no input 'audio'; it has x"),
        (two | {"input": "x"}, r"several inputs \(x, mask\)"),
        (
            entry | {"path": str(tmp_path / "half.onnx")},
            "is damaged, keeps its weights in other files, or is not a model",
        ),
        (entry | {"path": str(tmp_path)}, "is no file"),
    ]:
        with pytest.raises(ValueError, match=said):
            open_encoder(wrong)
    save_onnx(tmp_path / "nan.onnx")
    encoder = open_encoder(entry)
    nan = type(encoder)(lambda samples: encoder.hear(samples) * np.nan, RATE, encoder.chunk, {})
    with pytest.raises(ValueError, match="NaN or infinite ones, for clip short"):
        list(encoding.encode(nan, source, ["short"], RATE, 1))


SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
CONVOLVED = SMALL | {
    "conv_dim": (8, 8),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 2),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}


def save_model(folder, kind):
    """A tiny random model of a kind, with its feature extractor, as transformers saves them."""
    torchaudio.load()
    transformers = needs.package("transformers", "encoders")
    torch.manual_seed(0)
    if kind == "clap":
        audio = {"patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2], "hidden_size": 32}
        audio |= {"num_mel_bins": 16, "spec_size": 32, "patch_size": 4, "patch_stride": [4, 4], "window_size": 4}
        text = SMALL | {"vocab_size": 10, "max_position_embeddings": 8}
        config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=8)
        extractor = transformers.ClapFeatureExtractor(
            feature_size=16, sampling_rate=RATE, max_length_s=1, padding="repeatpad", truncation="rand_trunc"
        )
    else:
        config = {"wav2vec2": transformers.Wav2Vec2Config, "hubert": transformers.HubertConfig}[kind](**CONVOLVED)
        extractor = transformers.Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True)
    model = transformers.AutoModel.from_config(config).eval()
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return {"kind": "huggingface", "path": str(folder), "chunk_s": 0.25}, model, extractor


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_a_layer_of_a_transformer_is_pooled(tmp_path, source, kind):
    entry, model, extractor = save_model(tmp_path / kind, kind)
    encoder = open_encoder(entry | {"layer": 1})
    found = list(encoding.encode(encoder, source, ["long", "short"], RATE, 2))
    wanted = []
    for part in (FLOAT[:4_000], FLOAT[4_000:8_000], FLOAT[:2_000]):
        with torch.no_grad():
            fed = extractor(part, sampling_rate=RATE, return_tensors="pt")["input_values"]
            wanted.append(model(fed, output_hidden_states=True).hidden_states[1][0].numpy())
    np.testing.assert_allclose(found[0], (wanted[0].mean(axis=0) + wanted[1].mean(axis=0)) / 2, atol=1e-5)
    np.testing.assert_allclose(found[1], wanted[2].mean(axis=0), atol=1e-5)
    [first] = encoding.encode(open_encoder(entry | {"layer": 1, "pooling": "first"}), source, ["short"], RATE, 1)
    np.testing.assert_allclose(first, wanted[2][0], atol=1e-5)
    [last] = encoding.encode(open_encoder(entry), source, ["short"], RATE, 1)
    assert not np.allclose(last, found[1]) and encoder.facts["model"] == kind


def test_clap_gives_its_own_embedding(tmp_path, source):
    entry, model, extractor = save_model(tmp_path / "clap", "clap")
    encoder = open_encoder(entry | {"chunk_s": 60.0})
    assert encoder.chunk == RATE, "what is longer than the model hears would be cut at random"
    [found] = encoding.encode(encoder, source, ["long"], RATE, 1)
    with torch.no_grad():
        wanted = model.get_audio_features(**extractor(FLOAT, sampling_rate=RATE, return_tensors="pt"))
    wanted = getattr(wanted, "pooler_output", wanted)[0].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert found.shape == (8,)
    with pytest.raises(ValueError, match="leave out `layer`"):
        open_encoder(entry | {"layer": 1})


def test_a_wrong_folder_is_told(tmp_path):
    folder = tmp_path / "model"
    entry, *_ = save_model(folder, "wav2vec2")
    with pytest.raises(ValueError, match="layer 3 is not there; the model has the layers 0 to 2"):
        open_encoder(entry | {"layer": 3})
    config = json.loads((folder / "config.json").read_text())

    def refused(said, **changes):
        (folder / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(ValueError, match=said):
            open_encoder(entry)

    refused("does not know the architecture 'theremin'", model_type="theremin")
    code = {"auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    refused("brings Python code of its own, .* write `trust_remote_code: true`", model_type="mert_model", **code)
    refused("the weights are not those of its config.json: .* are missing", num_hidden_layers=3)
    assert not (tmp_path / "ran").exists()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(r"no weights as safetensors \(other weights: pytorch_model.bin\)")
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match="contains no config.json"):
        open_encoder(entry)
    with pytest.raises(ValueError, match="is no folder"):
        open_encoder(entry | {"path": str(tmp_path / "gone")})


def test_without_transformers_the_extra_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    for name, text in {"config.json": '{"model_type": "hubert"}', "preprocessor_config.json": "{}"}.items():
        (folder / name).write_text(text)
    (folder / "model.safetensors").touch()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"need transformers: pip install -c constraints.txt -e '\.\[encoders\]'"):
        open_encoder({"kind": "huggingface", "path": str(folder)})
