"""Code that numba compiled in one process and another one reads."""

import os
import subprocess
import sys

import pytest

COMPARE = """
import sys
import numpy as np
from pipelines.features.kernels import stft

for dtype in sys.argv[1].split():
    y = (1000 * np.sin(np.arange(4096))).astype(dtype)
    y.flags.writeable = False
    frames = np.concatenate(list(stft.power_blocks(y, 512, 128)))
    scale = 1 / 32768 if dtype == "int16" else 1
    padded = np.pad(y * np.float32(scale), 256, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    wanted = [abs(np.fft.rfft(padded[n * 128 : n * 128 + 512] * window)) ** 2 for n in range(len(frames))]
    assert np.allclose(frames, wanted, atol=1e-4 * np.max(wanted)), dtype
"""


@pytest.mark.fault
@pytest.mark.parametrize("first", ["int16", "float32"])
def test_two_processes_that_fill_the_cache_at_once_leave_one_that_is_right(tmp_path, first):
    """As two would at the worst moment: one's list of what is compiled, the other's compiled code."""
    orders = ("int16 float32", "float32 int16") if first == "int16" else ("float32 int16", "int16 float32")
    for name, order in zip(("one", "other"), orders, strict=True):
        _run(tmp_path / name, order)
    spoilt = 0
    for code in (tmp_path / "other").rglob("*.nbc"):
        place = tmp_path / "one" / code.relative_to(tmp_path / "other")
        spoilt += place.exists()
        place.write_bytes(code.read_bytes())
    assert spoilt >= 2
    _run(tmp_path / "one", orders[0])
    _run(tmp_path / "one", orders[1])


def _run(cache, order):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", COMPARE, order], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
