"""The same bytes on every processor: sums are not left to OpenBLAS, whose kernels, and the order in which they add, differ."""

import platform
import sys

import numpy as np
import pytest
from helpers import PROJECT, run_in

pytestmark = [pytest.mark.system, pytest.mark.cold]
CODE = """
import hashlib, sys
import numpy as np
from pipelines.features import compute_all
y = np.load(sys.argv[1])
for name in sys.argv[2:]:
    found = compute_all(y, 16_000, {name: None})[name]
    values = np.array(list(found.values())) if isinstance(found, dict) else found
    print(name, hashlib.sha256(values.tobytes()).hexdigest())
noise = np.random.default_rng(0).standard_normal((300, 400)).astype(np.float32)
print("a product by OpenBLAS", hashlib.sha256((noise @ noise[:20].T).tobytes()).hexdigest())
"""
NAMES = (
    *("log_mel", "log_mel_slaney", "pooled", "mfcc", "chroma_stft", "spectral_centroid", "spectral_bandwidth", "rms"),
    "onset_strength",
)


def test_the_demos_features_do_not_depend_on_the_kernel(tmp_path, chord):
    if platform.machine() != "x86_64":
        pytest.skip("OpenBLAS's kernels are named for another processor")
    np.save(tmp_path / "y.npy", chord(seconds=5))
    (tmp_path / "code.py").write_text(CODE)
    told = []
    for kernel in ("Haswell", "Nehalem"):
        done = run_in(
            tmp_path, sys.executable, "code.py", "y.npy", *NAMES, OPENBLAS_CORETYPE=kernel, PYTHONPATH=str(PROJECT)
        )
        told.append(dict(line.rsplit(" ", 1) for line in done.stdout.splitlines()))
    product = "a product by OpenBLAS"
    assert told[0].pop(product) != told[1].pop(product), "two kernels that add in another order"
    assert told[0] == told[1] and set(told[0]) == set(NAMES)
