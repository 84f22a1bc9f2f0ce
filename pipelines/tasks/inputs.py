"""The input of a run: clips of the manifest with labels, groups and splits, and one vector per clip, or frames."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from pipelines.core import paths, shards
from pipelines.core.manifest import LABELLED
from pipelines.core.tables import read_table
from pipelines.tasks import Run

MISSING = ": missing"
"""How the column of a combined table ends that is 1 for clips which one of its tables lacks (stages/combine.py)."""


def vectors(run: Run) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """(clips, values, names): rows of the manifest that the run's input has, `(clips, d)` float64, and what each dimension is.

    The input is a folder with one Parquet table, a statistic a column (`pooled`), or a table of embeddings. In a combined table
    the values of a clip that one of its tables lacks are NaN. Raises `ValueError` where it is no table, or another value is not
    finite.
    """
    path = _table(run.input)
    known, table = manifest(run), _rows(path)
    clips = known[known["clip_id"].isin(table.index)].reset_index(drop=True)
    values, names = _values(table.loc[clips["clip_id"]])
    lacking = [number for number, name in enumerate(names) if name.endswith(MISSING)]
    absent = np.isnan(values) & (values[:, lacking] == 1).any(axis=1, keepdims=True)
    bad = ~(np.isfinite(values) | absent).all(axis=1)
    if bad.any():
        titles = ", ".join(clips.loc[bad, "title"].head(3))
        raise ValueError(f"{path}: {bad.sum()} clips have NaN or infinite values, for instance {titles}")
    return clips, values, names


def table(path: Path) -> tuple[list[str], np.ndarray, list[str]]:
    """(clip ids, values `(clips, d)` float64, what each dimension is) of a table that a run could read. Raises `ValueError`."""
    rows = _rows(_table(path))
    return rows.index.tolist(), *_values(rows)


def new_vectors(path: Path, clip_ids: list[str]) -> np.ndarray:
    """`(clips, d)` float64 of clips in no dataset, in the order of `clip_ids`; `path` is in the form of a run's input."""
    return _values(_rows(_table(path)).loc[clip_ids])[0]


def frames(run: Run) -> pd.DataFrame:
    """The rows of the manifest that the run's input has, where that is a folder of frames or samples (`log_mel`, `waveform`).

    Raises `ValueError` where it is none, or a clip has no row in it (a piece of percussion has no note with a pitch).
    """
    index = run.input / "index.parquet"
    if not index.is_file() or not _has_shards(run.input):
        raise ValueError(
            f"{run.input} is no folder of frames or samples: model {run.model} reads `from: features, reads: log_mel` or another "
            "representation of frames, or `waveform`"
        )
    lengths = read_table(index, shards.INDEX, columns=["clip_id", "length"]).set_index("clip_id")["length"]
    clips = manifest(run)
    found = clips[clips["clip_id"].isin(lengths.index)].reset_index(drop=True)
    if len(empty := found[found["clip_id"].map(lengths) == 0]):
        titles = ", ".join(empty["title"].head(3))
        raise ValueError(
            f"{run.input}: {len(empty)} clips have no rows, for instance {titles}: withdraw them, or read another input"
        )
    return found


def manifest(run: Run) -> pd.DataFrame:
    """All clips of the run's dataset, those that its input lacks too."""
    return read_table(paths.manifest(run.dataset), LABELLED)


def labels(run: Run, clips: pd.DataFrame, target: str) -> np.ndarray:
    """The class of each clip, "" where it has none. Raises `ValueError` that names the dataset's targets for an unknown one."""
    known = [name.removeprefix("target_") for name in clips.columns if name.startswith("target_")]
    if target not in known:
        there = f"its targets are {', '.join(known)}" if known else "it has no labels"
        raise ValueError(f"dataset {run.dataset!r} has no target {target!r}: {there}")
    return clips[f"target_{target}"].fillna("").to_numpy(str)


def _rows(path: Path) -> pd.DataFrame:
    table = pq.read_table(path).to_pandas()
    if "clip_id" not in table:
        raise ValueError(f"{path} has no column clip_id: a run reads a table with one row per clip")
    return table.set_index("clip_id")


def _values(rows: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """(values `(clips, d)`, what each dimension is)."""
    if list(rows.columns) == ["embedding"]:
        values = np.stack(rows["embedding"].to_list()).astype(np.float64)
        return values, [f"dimension {number}" for number in range(values.shape[1])]
    return rows.to_numpy(np.float64), list(rows.columns)


def _table(path: Path) -> Path:
    if path.is_file():
        return path
    if _has_shards(path):
        raise ValueError(
            f"{path} contains frames or samples, not one vector per clip: this model reads a table such as `pooled`; "
            "networks read frames"
        )
    found = sorted(path.glob("*.parquet"))
    if len(found) != 1:
        raise ValueError(
            f"{path} contains {len(found)} Parquet tables: a run reads a single table with one row per clip, such as `pooled`"
        )
    return found[0]


def _has_shards(path: Path) -> bool:
    return shards.shard_path(path, 0).exists()
