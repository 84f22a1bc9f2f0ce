"""The torch front end gives the numbers of the features, on the CPU, and on a GPU where there is one."""

import inspect

import numpy as np
import pytest
import torch
from features.references import FLOORS

from pipelines import features
from pipelines.features.kernels import batched

NAMES = [
    *("stft", "log_mel", "log_mel_slaney", "log_mel_hifigan", "mfcc", "chroma_stft", "spectral_centroid"),
    *("spectral_bandwidth", "spectral_rolloff", "spectral_flatness", "rms", "zero_crossing_rate"),
]
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_equals_its_clips(name, device, clips):
    batch = [clips[clip][0][:15_331] for clip in ("music", "chord", "noise", "clicks", "silence")]
    found = getattr(batched, name)(torch.from_numpy(np.stack(batch)).to(device), 16_000)
    assert found.device.type == device and found.dtype == torch.float32
    for clip, got in zip(batch, found.cpu().numpy(), strict=True):
        expected = features.load(name).compute(clip, 16_000)
        assert got.shape == expected.shape
        differences = np.abs(got - expected)
        if name == "log_mel":  # what is lower is a float32 transform's rounding
            differences = differences[expected > expected.max() - 80]
        if name == "spectral_rolloff" and (differences > 0).mean() <= 0.01:
            continue  # a sum that meets the threshold within rounding
        scale = max(np.abs(expected).max(), FLOORS.get(name, (1e-6,))[0])
        limit = 1e-3 if name == "log_mel" else 1e-4
        assert differences.max(initial=0) <= limit * scale, f"{differences.max() / scale:.1e}"


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_the_features_own(name):
    ours = inspect.signature(getattr(batched, name)).parameters
    theirs = inspect.signature(features.load(name).compute).parameters
    for parameter, value in ours.items():
        assert value.default == theirs[parameter].default, parameter
    assert set(theirs) - set(ours) <= {"deltas"}


def test_clips_shorter_than_a_window():
    y = torch.linspace(-0.5, 0.5, 200)[None]
    for name in NAMES:
        expected = features.load(name).compute(y[0].numpy(), 16_000)
        if len(expected):
            np.testing.assert_allclose(getattr(batched, name)(y, 16_000)[0], expected, rtol=2e-3, atol=1e-3)
