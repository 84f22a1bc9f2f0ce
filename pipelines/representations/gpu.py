"""The features' GPU road: what torch can compute, batched over clips of one length, into the cache, where the features stage
finds it as if workers had made it.

Kept under the device's name: a GPU's numbers equal the CPU's to 1e-4, and not to the bit.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core import cache, shards
from pipelines.core.pcm import to_float
from pipelines.harness.progress import progress

BATCH = 32  # clips; 30 s at 16 kHz and n_fft 2048 take 3 GB on the device


def fill(
    index: pd.DataFrame,
    audio_dir: Path,
    name: str,
    entry: dict | None,
    sample_rate: int,
    device: str,
    key: Callable[[str], str],
) -> int:
    """Compute feature `name` on `device` for every clip that lacks it, if torch has it with these parameters; return how many.

    index: the PCM shards' index. key: from the hash of a clip's samples to the key in the cache.
    """
    import torch

    from pipelines import features
    from pipelines.features.kernels import batched

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit(
            f"executor.device in params.yaml is {device}, and torch sees no GPU: set it to cpu, or install a CUDA build of torch"
        )
    if not batched.supports(name, entry):
        return 0
    lacking = index[[cache.load_array(name, key(sha256)) is None for sha256 in index["sha256"]]]
    pcm, groups = shards.open_shards(audio_dir), list(lacking.groupby(["shard", "length"], sort=True))
    for (shard, length), clips in progress(groups, f"{name} on {device}", len(lacking), size=lambda item: len(item[1])):
        for first in range(0, len(clips), BATCH):
            some = clips.iloc[first : first + BATCH]
            y = np.stack([to_float(pcm[shard][place : place + length]) for place in some["offset"]])
            frames = getattr(batched, name)(torch.from_numpy(y).to(device), sample_rate, **(entry or {}))
            for sha256, values in zip(some["sha256"], frames.float().cpu().numpy(), strict=True):
                cache.save_array(name, key(sha256), [values], features.load(name).DTYPE, values.shape[1:])
    return len(lacking)
