"""A user's own Open-Unmix checkpoints: the published forward pass on tiny random weights, and files that are refused."""

import hashlib
from pathlib import Path

import band_stems
import numpy as np
import pytest
import safetensors.torch
import torch

from pipelines.tasks.separation import fit
from pipelines.tasks.separation.fit import network
from pipelines.tasks.separation.models import open_unmix

BINS, READ, HIDDEN, LAYERS = 129, 100, 8, 2


def checkpoint(channels=2, seed=0):
    """The tensors of `openunmix.model.OpenUnmix` of these sizes, with its names."""
    torch.manual_seed(seed)
    found = {"input_mean": torch.randn(READ), "input_scale": torch.rand(READ), "output_mean": torch.rand(BINS)}
    found |= {"output_scale": torch.rand(BINS), "stft.window": torch.ones(256)}
    sizes = {"1": (channels * READ, HIDDEN), "2": (2 * HIDDEN, HIDDEN), "3": (HIDDEN, channels * BINS)}
    for number, (width, height) in sizes.items():
        found[f"fc{number}.weight"] = torch.randn(height, width) / width**0.5
        found |= {f"bn{number}.{name}": torch.rand(height) + 0.5 for name in ("weight", "running_var")}
        found |= {f"bn{number}.{name}": torch.randn(height) / 3 for name in ("bias", "running_mean")}
        found[f"bn{number}.num_batches_tracked"] = torch.tensor(7)
    lstm = torch.nn.LSTM(HIDDEN, HIDDEN // 2, LAYERS, bidirectional=True)
    return found | {f"lstm.{name}": value.detach() for name, value in lstm.state_dict().items()}


def published(tensors, magnitude, channels):
    """Gains `(frames, bins)` as openunmix 1.2 computes them of `(frames, bins)` on each channel, their mean."""
    lstm = torch.nn.LSTM(HIDDEN, HIDDEN // 2, LAYERS, bidirectional=True)
    lstm.load_state_dict({name[5:]: value for name, value in tensors.items() if name.startswith("lstm.")})

    def normalised(x, number):
        names = ("running_mean", "running_var", "weight", "bias")
        return torch.nn.functional.batch_norm(x, *(tensors[f"bn{number}.{name}"] for name in names))

    frames = len(magnitude)
    x = magnitude[:, None, None].expand(-1, 1, channels, -1)[..., :READ]  # (frames, batch, channels, bins)
    x = (x + tensors["input_mean"]) * tensors["input_scale"]
    x = torch.tanh(normalised(x.reshape(-1, channels * READ) @ tensors["fc1.weight"].T, 1)).reshape(frames, 1, HIDDEN)
    x = torch.cat([x, lstm(x)[0]], -1).reshape(-1, 2 * HIDDEN)
    x = torch.relu(normalised(x @ tensors["fc2.weight"].T, 2))
    x = normalised(x @ tensors["fc3.weight"].T, 3).reshape(frames, channels, BINS)
    return torch.relu(x * tensors["output_scale"] + tensors["output_mean"]).mean(dim=1).detach()


@pytest.mark.parametrize("channels", [1, 2])
def test_equals_the_published_forward_pass(channels):
    tensors, magnitude = checkpoint(channels), torch.rand(20, BINS)
    target = open_unmix.Target(BINS, HIDDEN, LAYERS).eval()
    target.load_state_dict(open_unmix.converted(tensors, BINS, HIDDEN, LAYERS, "x"))
    with torch.no_grad():
        found = target(magnitude[None])[0]
    torch.testing.assert_close(found, published(tensors, magnitude, channels), atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two checkpoints, as torch.save and as safetensors, and files that are none, in the current folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("checkpoints"))
        band_stems.write()
        torch.save(checkpoint(seed=1), "low.pth")
        safetensors.torch.save_file(checkpoint(seed=2), "high.safetensors")
        whole = Path("low.pth").read_bytes()
        Path("half.pth").write_bytes(whole[: len(whole) // 2])
        Path("half.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not json")
        torch.save({"klass": np.random.default_rng, "state": {}}, "code.pth")
        torch.save([1, 2], "list.pth")
        torch.save({"epoch": 3}, "numbers.pth")
        torch.save({name: value for name, value in checkpoint().items() if name != "fc2.weight"}, "fewer.pth")
        torch.save(checkpoint() | {"lstm.weight_ih_l2": torch.ones(16, 8)}, "deeper.pth")
        torch.save(checkpoint() | {"bn1.bias": torch.full((HIDDEN,), float("nan"))}, "nan.pth")
        torch.save(checkpoint() | {"fc1.weight": torch.ones(HIDDEN + 1, 2 * READ)}, "wide.pth")
        yield


def entry(path):
    return {"path": path, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}


def run(low, **options):
    weights = {"low": low, "high": entry("high.safetensors")}
    return band_stems.run(model="open_unmix", hidden=HIDDEN, layers=LAYERS, **({"weights": weights} | options))


def test_a_run_separates_by_the_checkpoints_of_its_stems(files):
    own = run(entry("low.pth"))
    figures = fit.fit(own, 2026, own.trainings[0][1])
    assert "loss" not in figures and np.isfinite(figures["validation_sdr"])
    separator = network.load(own.trainings[0][1])
    mixture = np.random.default_rng(0).normal(0, 0.1, 5000).astype(np.float32)
    np.testing.assert_allclose(separator.separate(mixture).sum(axis=0), mixture, atol=1e-4)
    magnitude = torch.rand(20, BINS)
    high, low = (published(checkpoint(seed=seed), magnitude, 2) for seed in (2, 1))
    with torch.no_grad():
        masks = separator.network(magnitude[None])[0]
    expected = torch.where(high + low > 0, torch.stack([high, low]) / (high + low), 0.5)
    torch.testing.assert_close(masks, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("half.pth", "half.pth is damaged"),
        ("half.safetensors", "is damaged, or no safetensors file"),
        ("code.pth", "other objects, which could run code"),
        ("list.pth", "holds a list"),
        ("numbers.pth", "'epoch' is none"),
        ("fewer.pth", "fewer.pth has no tensor 'fc2.weight'"),
        ("deeper.pth", "'lstm.weight_ih_l2', which Open-Unmix of 2 layers has not"),
        ("nan.pth", "bn1.bias has values that are not finite"),
        ("wide.pth", r"fc1.weight has the shape \(9, 200\), and not \(8, 200\): is it of Open-Unmix, with hidden 8"),
    ],
)
def test_what_is_no_such_checkpoint_is_refused(files, path, message):
    with pytest.raises(ValueError, match=message):
        open_unmix.from_checkpoints(run(entry(path)).options, ["low", "high"])


def test_entries_that_do_not_fit_are_refused(files):
    with pytest.raises(ValueError, match=r"low.pth has the SHA-256 [0-9a-f]{64}, not 0000: get the file again"):
        open_unmix.from_checkpoints(run({"path": "low.pth", "sha256": "0000"}).options, ["low", "high"])
    with pytest.raises(ValueError, match="weights.low: there is no file"):
        open_unmix.from_checkpoints(run({"path": "none.pth", "sha256": ""}).options, ["low", "high"])
    with pytest.raises(ValueError, match="`weights` names nothing"):
        open_unmix.from_checkpoints(run({}, weights={}).options, ["low", "high"])
    with pytest.raises(ValueError, match=r"weights.low must be \{path: ..., sha256: ...\}"):
        open_unmix.from_checkpoints(run("low.pth").options, ["low", "high"])
    with pytest.raises(ValueError, match="with n_fft 128 that is no network of one or two channels"):
        open_unmix.from_checkpoints(run(entry("low.pth"), n_fft=128).options, ["low", "high"])
    other = band_stems.run(weights={"low": entry("low.pth")}, steps=1)
    with pytest.raises(ValueError, match="mask_lstm is trained and takes no `weights`"):
        fit.fit(other, 1, other.trainings[0][1])
