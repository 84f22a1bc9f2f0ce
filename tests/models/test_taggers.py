"""Taggers reproduce the published ones: parameter counts, tensor names, and outputs with a fixed fill of the weights."""

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import some

from pipelines.features import log_mel
from pipelines.models import taggers
from pipelines.ops.settings import load_params

GOLDEN = Path(__file__).with_name("golden_taggers.npz")
# Won et al. 2020, arXiv 2006.00751: parameters with 50 tags, and the embedding's size
PUBLISHED = {
    "attention": (10_521_652, 256),
    "crnn": (394_100, 32),
    "fcn": (447_732, 64),
    "hcnn": (3_631_551, 256),
    "musicnn": (784_300, 200),
    "sample": (1_869_874, 512),
    "se": (6_951_858, 512),
    "short": (3_687_348, 512),
    "short_res": (12_104_244, 512),
}


def fill(model):
    """The golden outputs' weights: drawn from a generator seeded by each tensor's published name."""
    state = model.state_dict()
    for name, tensor in state.items():
        if "spec." in name or name.endswith("num_batches_tracked"):
            continue
        rng, shape = np.random.default_rng(zlib.crc32(name.encode())), tuple(tensor.shape)
        if name.endswith("bw_Q"):
            values = np.full(shape, 1.1)
        elif name.endswith("running_var"):
            values = 0.5 + rng.random(shape)
        elif name.endswith("running_mean"):
            values = 0.1 * rng.standard_normal(shape)
        elif len(shape) >= 2:
            values = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        elif name.endswith("weight"):
            values = 1 + 0.1 * rng.standard_normal(shape)
        else:
            values = 0.1 * rng.standard_normal(shape)
        tensor.copy_(torch.from_numpy(values.astype(np.float32)))
    model.load_state_dict(state)
    return model.eval()


def golden_input(n):
    t = np.arange(n) / 16_000
    rng = np.random.default_rng(2026)
    a = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * 1320 * t) + 0.05 * rng.standard_normal(n)
    sweep = np.sin(2 * np.pi * (100 * t + (3000 - 100) / (2 * t[-1]) * t**2))
    return torch.from_numpy(np.stack([a, 0.4 * sweep + 0.02 * rng.standard_normal(n)]).astype(np.float32))


@pytest.mark.parametrize("name", sorted(PUBLISHED))
@torch.no_grad()
def test_published_outputs(name):
    model = taggers.create(name)
    n_parameters, dimensions = PUBLISHED[name]
    assert sum(tensor.numel() for tensor in model.parameters()) == n_parameters
    probabilities, embedding = fill(model)(golden_input(taggers.load_module(name).CHUNK))
    golden = np.load(GOLDEN)
    assert embedding.shape == (2, dimensions)
    np.testing.assert_allclose(probabilities, golden[f"{name}/probabilities"], atol=1e-4)
    # embeddings reach 20 (fcn) and 300 (hcnn), and processors sum float32 in other orders: up to 6e-6 of the largest value
    wanted = golden[f"{name}/embedding"]
    np.testing.assert_allclose(embedding, wanted, atol=max(1e-4, 1e-5 * np.abs(wanted).max()))


@pytest.mark.parametrize("name", ["crnn", "fcn", "musicnn"])
@torch.no_grad()
def test_published_weights(name):
    """The MTG-Jamendo checkpoints, 7 MB, are not in this repository: TAGGER_WEIGHTS names a folder that has them."""
    if not (folder := os.environ.get("TAGGER_WEIGHTS")):
        pytest.skip("TAGGER_WEIGHTS names no folder of jamendo_<name>.pth")
    model = taggers.load_published(name, Path(folder) / f"jamendo_{name}.pth")
    probabilities, embedding = model(golden_input(taggers.load_module(name).CHUNK))
    golden = np.load(GOLDEN)
    np.testing.assert_allclose(probabilities, golden[f"{name}/jamendo/probabilities"], atol=1e-5)
    np.testing.assert_allclose(embedding, golden[f"{name}/jamendo/embedding"], atol=1e-5)


def test_a_checkpoint_of_the_published_format(tmp_path):
    model = fill(taggers.create("crnn", n_tags=9))
    torch.save(model.state_dict(), tmp_path / "good.pth")
    again = taggers.load_published("crnn", tmp_path / "good.pth")
    assert not again.training
    waveform = golden_input(60_000)
    torch.testing.assert_close(again(waveform), model(waveform), rtol=0, atol=0)


def test_other_wrappings_of_a_checkpoint(tmp_path):
    """As Lightning, DataParallel, half precision and torch before 0.4.1 leave them: the same network."""
    model = fill(taggers.create("crnn", n_tags=9))
    state = model.state_dict()
    halves = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    for content, exact in (
        ({"epoch": 3, "state_dict": state}, True),
        ({f"module.{key}": tensor for key, tensor in state.items()}, True),
        ({"state_dict": {f"model.{key}": tensor for key, tensor in state.items()}}, True),
        ({key: tensor for key, tensor in state.items() if "num_batches" not in key}, True),
        (halves, False),
    ):
        torch.save(content, tmp_path / "x.pth")
        again = taggers.load_published("crnn", tmp_path / "x.pth").state_dict()
        assert {tensor.dtype for tensor in again.values()} == {tensor.dtype for tensor in state.values()}
        wanted = state if exact else {k: t.float() if t.is_floating_point() else t for k, t in halves.items()}
        torch.testing.assert_close(again, wanted, rtol=0, atol=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    state = taggers.create("crnn", n_tags=9).state_dict()
    state["dense.weight"][3, 1] = value
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(
        ValueError, match=r"x\.pth contains NaN or infinite weights: 1 tensors, the first of them dense\.weight"
    ):
        taggers.load_published("crnn", tmp_path / "x.pth")


def test_what_is_no_checkpoint_is_refused(tmp_path):
    torch.save(fill(taggers.create("crnn")).state_dict(), tmp_path / "good.pth")
    good = (tmp_path / "good.pth").read_bytes()

    class Hostile:
        def __reduce__(self):
            return Path.touch, (tmp_path / "run",)

    torch.save({"dense.weight": Hostile()}, tmp_path / "hostile.pth")
    contents = {"cut.pth": good[: len(good) // 2], "empty.pth": b"", "text.pth": b"<html>404 Not Found</html>"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in [*contents, "hostile.pth"]:
        with pytest.raises(ValueError, match=rf"{name} is truncated, or not a checkpoint of tensors"):
            taggers.load_published("crnn", tmp_path / name)
    assert not (tmp_path / "run").exists()
    for content in ([1, 2], {"epoch": 3}, {0: torch.zeros(2)}):
        torch.save(content, tmp_path / "other.pth")
        with pytest.raises(ValueError, match="no table of tensors"):
            taggers.load_published("crnn", tmp_path / "other.pth")
    with pytest.raises(
        ValueError,
        match=r"is not a checkpoint of fcn: \d+ tensors differ, the first of them dense\.weight, \(50, 32\) in the file",
    ):
        taggers.load_published("fcn", tmp_path / "good.pth")
    with pytest.raises(FileNotFoundError):
        taggers.load_published("fcn", tmp_path / "none.pth")


def test_every_tagger_is_tested_and_stands_in_the_recipe_under_what_it_reads():
    folder = Path(taggers.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__", "layers"} == set(PUBLISHED)
    assert all(
        entry["reads"] in taggers.load_module(entry["network"]).READS for entry in load_params()["taggers"].values()
    )


@pytest.mark.parametrize("name", sorted(PUBLISHED))
@pytest.mark.parametrize("width", some([0.1, 0.25], 0.1))
def test_contract(name, width, tmp_path):
    """Every tagger: gradients everywhere, saved and loaded the same."""
    module = taggers.load_module(name)
    assert module.__doc__
    torch.manual_seed(0)
    model = taggers.create(name, n_tags=7, width=width)
    waveform = 0.1 * torch.randn(3, module.CHUNK)
    logits, _ = model.classify(model.front(waveform))
    logits.sum().backward()
    assert all(tensor.grad is not None for tensor in model.parameters())
    model.eval()
    with torch.no_grad():
        probabilities, embedding = model(waveform)
        assert probabilities.shape == (3, 7) and embedding.shape[0] == 3 and embedding.ndim == 2
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        taggers.save(model, {"name": name, "width": width, "tags": list("abcdefg")}, tmp_path)
        again, config = taggers.load(tmp_path)
        torch.testing.assert_close(again(waveform)[0], probabilities, rtol=0, atol=0)
    assert config["tags"] == list("abcdefg")
    assert not list(tmp_path.glob("*.p*")), "weights must be safetensors, never a pickle"


def test_front_end_equals_the_cached_feature(chord):
    y = chord(seconds=3.7)
    front = taggers.create("short", 5, 0.1).front(torch.from_numpy(y)[None])[0].numpy()
    np.testing.assert_allclose(front, log_mel.compute(y, 16_000), atol=0.01)


def test_a_missing_tagger_names_the_file_to_write():
    with pytest.raises(ValueError, match=r"write pipelines/models/taggers/transformer\.py"):
        taggers.create("transformer")
    with pytest.raises(ValueError, match=r"no tagger 'layers'"):
        taggers.create("layers")


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["attention", "crnn", "fcn", "hcnn", "sample", "short", "short_res"])
def test_images_stay_channels_last(name, precision):
    """The layout is easily lost without a trace, and half of the speed with it."""
    module, found = taggers.load_module(name), []
    model = taggers.create(name, 3, 0.1)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.MaxPool2d):
            layer.register_forward_hook(
                lambda _, __, out: found.append(out.is_contiguous(memory_format=torch.channels_last))
            )
    waveform = 0.1 * torch.randn(2, module.CHUNK)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        model.classify(model.front(waveform))
    assert len(found) > 4 and all(found)


def test_a_gradient_does_not_ask_whether_relu_or_pooling_comes_first():
    torch.manual_seed(0)
    block = taggers.create("short", 3, 0.1).layer1
    x = torch.randn(2, 1, 16, 16)
    block(x).square().sum().backward()
    found = block.conv.weight.grad.clone()
    block.zero_grad()
    block.pool(torch.relu(block.bn(block.conv(x)))).square().sum().backward()
    torch.testing.assert_close(found, block.conv.weight.grad, rtol=0, atol=0)


def test_tall_filters_are_the_same_by_places():
    torch.manual_seed(0)
    layer = taggers.create("musicnn", 3, 0.1).layers[0]
    x = torch.randn(2, 1, 96, 40, requires_grad=True)
    inputs = [x, layer.conv.weight, layer.conv.bias]
    wanted, found = layer.conv(x), layer._by_places(x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    towards = torch.randn_like(wanted)
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs, towards), torch.autograd.grad(wanted, inputs, towards), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
