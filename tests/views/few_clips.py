"""A manifest of eight clips of the dataset `made`, as its stage leaves it."""

import numpy as np
import pandas as pd

from pipelines.core import paths
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table


def write(folder: str = "") -> list[str]:
    """The clips' ids; the clip `n` is `<folder>n.flac`, n as 16 hex digits."""
    ids = [f"{number:016x}" for number in range(8)]
    table = pd.DataFrame({name: "x" for name in MANIFEST.names}, index=range(8))
    table = table.assign(clip_id=ids, path=[f"{folder}{one}.flac" for one in ids], sha256=ids, group=ids, split="train")
    table = table.assign(tags=[[]] * 8, duplicate_of=None, duration_s=2.0, n_bytes=9)
    table = table.assign(sample_rate=np.int32(16_000), channels=np.int32(1))
    write_table(table, paths.manifest("made"), MANIFEST)
    return ids
