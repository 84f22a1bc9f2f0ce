"""Convert PCM samples (int16 and float32, several channels to one or two); the schema of the index of PCM shards."""

import numpy as np
import pyarrow as pa

from pipelines.core import shards
from pipelines.core.tables import column

FULL_SCALE = np.float32(32768)

INDEX = pa.schema(
    [
        *shards.INDEX,
        column("peak", pa.float64(), "largest absolute sample", unit="full scale"),
        column("clipped", pa.int64(), "samples at full scale", unit="sample"),
        column("sha256", pa.string(), "hash of the samples: what the clip's features are cached under"),
    ]
)


def mix(block: np.ndarray, channels: int) -> np.ndarray:
    """float32 `(samples, channels of the file)` to `(samples,)`, or for two channels `(samples, 2)`.

    By hand: numpy's `mean` over a short last axis is 35 times slower.
    """
    if channels == 2:
        return block if block.shape[1] == 2 else np.repeat(mix(block, 1)[:, None], 2, axis=1)
    mono = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        mono += block[:, channel]
    return mono if block.shape[1] == 1 else mono / np.float32(block.shape[1])


def to_int16(samples: np.ndarray) -> np.ndarray:
    """float32 in [-1, 1) to int16, rounded; beyond full scale it is clipped."""
    return np.clip(np.rint(samples * FULL_SCALE), -32768, 32767).astype(np.int16)


def to_float(samples: np.ndarray) -> np.ndarray:
    """int16 `(samples,)`, or `(samples, channels)` which are averaged, to float32 `(samples,)` in [-1, 1)."""
    if samples.ndim == 2:
        return mix(samples.astype(np.float32), 1) * (1 / FULL_SCALE)
    return samples.astype(np.float32) * (1 / FULL_SCALE)
