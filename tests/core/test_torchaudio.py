"""torchaudio beside whichever torch is installed, in a process that has not tried before."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from pipelines.core import torchaudio


def test_it_loads_and_computes():
    y = torch.sin(torch.arange(8000) / 16_000 * 2 * torch.pi * 440)[None]
    mel = torchaudio.load().transforms.MelSpectrogram(16_000, n_fft=512, n_mels=64)(y)
    assert mel.shape == (1, 64, 32)
    assert mel.mean(dim=2).argmax() == 12  # of the centres, that at 458 Hz is nearest on the mel scale
    assert torchaudio.load() is sys.modules["torchaudio"]


def test_filters_work_without_the_compiled_library():
    y = np.random.default_rng(1).uniform(-0.1, 0.1, 200).astype(np.float32)
    a, b = [1.0, -0.5, 0.2], [0.3, 0.1, 0.05]
    found = torchaudio.load().functional.lfilter(torch.from_numpy(y), torch.tensor(a), torch.tensor(b))
    np.testing.assert_allclose(found.numpy(), lfilter(b, a, y), atol=1e-6)


ASK = """
import sys
try:
    import torchaudio
    plain = True
except OSError:
    plain = False
from pipelines.core.torchaudio import EXTENSION, load
load()
print(plain, hasattr(sys.modules[EXTENSION], "__file__"))
"""


@pytest.mark.cold
def test_a_cpu_torch_needs_the_stub_and_a_cuda_torch_has_none():
    """Where plain torchaudio imports, the module leaves it as it is; where it does not, the stub is why ours does."""
    ended = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    plain, compiled = ended.stdout.split()
    assert plain == compiled
