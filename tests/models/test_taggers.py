"""Taggers reproduce the published ones: parameter counts, tensor names, and outputs with a fixed fill of the weights."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines import params
from pipelines.features import log_mel
from pipelines.models import taggers

GOLDEN = Path(__file__).with_name("golden_taggers.npz")
# Won et al. 2020, arXiv 2006.00751: parameters with 50 tags, and the embedding's size
PUBLISHED = {"short": (3_687_348, 512), "sample": (1_869_874, 512)}
RECIPE = sorted((name, group) for group, named in params.load()["taggers"].items() for name in named)


def fill(model):
    """The golden outputs' weights: drawn from a generator seeded by each tensor's published name."""
    state = model.state_dict()
    for name, tensor in state.items():
        if name.startswith("spec.") or name.endswith("num_batches_tracked"):
            continue
        rng, shape = np.random.default_rng(zlib.crc32(name.encode())), tuple(tensor.shape)
        if name.endswith("running_var"):
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
    np.testing.assert_allclose(embedding, golden[f"{name}/embedding"], atol=1e-4)


@pytest.mark.parametrize(("name", "group"), RECIPE)
@pytest.mark.parametrize("width", [0.1, 0.5])
def test_contract(name, group, width, tmp_path):
    """Every tagger of the recipe: listed under what it reads, gradients everywhere, saved and loaded the same."""
    module = taggers.load_module(name)
    assert module.__doc__ and module.INPUT == group
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
