"""Guards of separation fire: each on data or a separator with the fault that it is for, and on no other."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipelines.tasks.separation.fit.network import Separator
from pipelines.tasks.separation.score import guards

NAMES = ["a", "b", "c"]
OPTIONS = {"n_fft": 64, "hop": 32, "segment_s": 1.0, "wiener": 0}


class Clips:
    """Two clips of three stems of noise; `third` makes the third of the others."""

    names, rate = NAMES, 500

    def __init__(self, groups=("x", "y"), third=None):
        self.clips = pd.DataFrame(
            {
                "clip_id": ["0", "1"],
                "path": ["0.wav", "1.wav"],
                "stems_path": ["0.wav", "1.wav"],
                "split": ["train", "test"],
                "group": list(groups),
            }
        )
        self.third = third

    def of(self, side):
        return self.clips[self.clips["split"] == side].reset_index(drop=True)

    def signals(self, path):
        sounds = np.random.default_rng(int(path[0])).normal(0, 0.1, (3, 500)).astype(np.float32)
        return sounds if self.third is None else np.stack([*sounds[:2], self.third(*sounds[:2])])


class Masks(torch.nn.Module):
    def __init__(self, masks):
        super().__init__()
        self.masks = masks

    def forward(self, magnitude):
        return self.masks(magnitude)[:, None].expand(-1, 3, -1, -1)


def thirds(magnitude):
    return torch.full_like(magnitude, 1 / 3)


def found(data=None, notes=None, masks=thirds):
    checks = guards.checks(data or Clips(), notes or {}, Separator(Masks(masks), NAMES, 500, OPTIONS))
    return {name for name, (passed, _) in checks.items() if passed is False}


def score(shift):
    """The notes of a clip, each stem's line one note a second."""
    return [np.array([[n + shift, n + shift + 1, 60 + 3 * n + stem] for n in range(4)], float) for stem in range(3)]


def test_nothing_fires_without_a_fault():
    other = [np.add(table, [0, 0, 1]) for table in score(0)]
    assert found(notes={"0": score(0), "1": other}) == set()


@pytest.mark.parametrize(
    ("fault", "guard"),
    [
        ({"data": Clips(groups="xx")}, "no group on two sides"),
        # a rendering with other stems, later in its file
        ({"notes": {"0": score(0), "1": score(0.5)[::-1]}}, "no notes on two sides"),
        ({"data": Clips(third=lambda a, b: a + b)}, "no stem is the sum of the others"),
        ({"masks": lambda magnitude: torch.full_like(magnitude, 0.4)}, "stems add up to the mixture"),
        ({"masks": lambda magnitude: (magnitude / 30).clamp(max=1) / 3}, "level changes no mask"),
    ],
)
def test_a_guard_fires(fault, guard):
    assert guard in found(**fault)
    assert found(**fault) <= {guard, "stems add up to the mixture"}


def test_without_notes_the_guard_of_notes_is_unknown():
    checks = guards.checks(Clips(), {}, Separator(Masks(thirds), NAMES, 500, OPTIONS))
    assert checks["no notes on two sides"][0] is None
