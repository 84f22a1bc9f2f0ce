"""Multitracks: the stems of a clip, which add up to it sample by sample.

A dataset that has stems keeps them in `data/raw/<dataset>/stems/`: one `.npy` a clip, int16 of shape `(stems, samples)` at the
clip's rate, and `stems.parquet` (`STEMS`), a row a stem. The clip is their sum and has the split and the group, so no stem of a
work can be on another side than its mixture. A run of separation reads this folder: `from: raw, reads: stems`.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.core.files import atomic
from pipelines.core.shards import SPOILT
from pipelines.core.tables import column, read_table, write_table

STEMS = pa.schema(
    [
        column("path", pa.string(), "the clip, as in the dataset's clips()"),
        column("stem", pa.string(), "what plays: alto, drums"),
        column("shard", pa.string(), "file of the clip's stems, relative to this folder"),
        column("place", pa.int32(), "row of the stem in that file"),
        column("sample_rate", pa.int32(), "rate of the clip", unit="Hz"),
        column("n_samples", pa.int64(), "length of the clip", unit="sample"),
        column("rms_dbfs", pa.float64(), "level of the stem; -inf where it is silent throughout", unit="dBFS"),
    ]
)
FOLDER = "stems"
FULL_SCALE = 32768
"""Of int16: a sample s is the amplitude s / FULL_SCALE."""


def write_clip(raw_dir: Path, path: str, names: list[str], sounds: np.ndarray, sample_rate: int) -> list[dict]:
    """Write the stems `sounds` `(stems, samples)` int16 of a clip. Returns their rows of `STEMS`.

    Raises `ValueError` where the sum of the stems does not fit in 16 bits: the clip could not be their sum.
    """
    if sounds.dtype != np.int16 or sounds.ndim != 2 or len(names) != len(sounds) or len(set(names)) < len(names):
        raise ValueError(f"{path}: stems {names} must be int16 (stems, samples), each with a name of its own")
    total = sounds.sum(axis=0, dtype=np.int32)
    if total.size and max(total.max(), -1 - total.min()) >= FULL_SCALE:
        peak = 20 * np.log10(np.abs(total).max() / FULL_SCALE)
        raise ValueError(f"{path}: the sum of its stems clips, its peak would be {peak:+.1f} dBFS")
    shard = Path(path).with_suffix(".npy").as_posix()
    with atomic(raw_dir / FOLDER / shard) as temporary, open(temporary, "wb") as stream:
        np.save(stream, sounds, allow_pickle=False)
    # one stem after another: all of a long track in float64 would take four times the memory of its stems
    power = np.array([np.mean((sound / FULL_SCALE) ** 2) for sound in sounds])
    with np.errstate(divide="ignore"):
        levels = np.round(10 * np.log10(power), 3)
    common = {"path": path, "shard": shard, "sample_rate": sample_rate, "n_samples": sounds.shape[1]}
    return [
        common | {"stem": name, "place": place, "rms_dbfs": float(level)}
        for place, (name, level) in enumerate(zip(names, levels, strict=True))
    ]


def write_index(raw_dir: Path, rows: list[dict]) -> None:
    """Write the table of all clips' stems."""
    table = pd.DataFrame(rows, columns=STEMS.names).astype(
        {"place": "int32", "sample_rate": "int32", "n_samples": "int64"}
    )
    write_table(table, raw_dir / FOLDER / "stems.parquet", STEMS)


def read(folder: Path) -> pd.DataFrame:
    """The table of a folder of stems. Raises `ValueError` where the clips have several rates."""
    table = read_table(folder / "stems.parquet", STEMS)
    if table["sample_rate"].nunique() > 1:
        raise ValueError(f"{folder}: clips have the rates {sorted(set(table['sample_rate']))} Hz, and must have one")
    return table


def signals(folder: Path, table: pd.DataFrame, path: str, names: list[str]) -> np.ndarray:
    """`(names, samples)` float32 from -1 to 1: the stems `names` of a clip, zeros for one that it does not have."""
    rows = table[table["path"] == path]
    if rows.empty:
        raise ValueError(f"{folder}: no stems of {path}")
    found = np.zeros((len(names), int(rows["n_samples"].iloc[0])), np.float32)
    file = folder / rows["shard"].iloc[0]
    try:
        sounds = np.load(file, mmap_mode="r", allow_pickle=False)
    except SPOILT as error:
        raise ValueError(
            f"{file} is damaged ({error}): run the stage that makes it, or dvc checkout {folder}"
        ) from error
    for row in rows.itertuples():
        if row.stem in names:
            found[names.index(row.stem)] = sounds[row.place].astype(np.float32) / np.float32(FULL_SCALE)
    return found
