"""Compile the numba functions of librosa, umap and the feature kernels ahead of their first use: `python -m
pipelines.precompile`.

Installation calls it once. Otherwise the first run would take a minute longer, and several of its processes would compile the
same functions at the same time.
"""

import librosa.beat  # noqa: F401 (compiled as it is imported)
import numpy as np

from pipelines import features
from pipelines.evaluation import projection, robustness
from pipelines.harness.progress import progress

RATE = 16_000
FEATURES = ("log_mel", "spectral_rolloff", "zero_crossing_rate", "beats", "tempogram", "f0", "cqt", "hpss", "pooled")
"""Between them they use all kernels and all of librosa that is compiled."""


def main() -> None:
    """Compute each once on two seconds of noise."""
    sound = (0.1 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
    work = [
        lambda y=y, name=name: features.compute_all(y, RATE, {name: None})
        for name in FEATURES
        for y in (sound, (32767 * sound).astype(np.int16))
    ]
    work += [lambda change=change: change(sound, RATE, 0) for change in robustness.DEGRADATIONS.values()]
    points = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    work += [lambda: projection.umap(points, 0), lambda: projection.umap_onto(points, points, 0)]
    for compute in progress(work, "compile", unit="function"):
        compute()


if __name__ == "__main__":
    main()
