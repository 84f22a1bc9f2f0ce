"""Embeddings and tag scores as Parquet: one row per clip, with a float32 vector."""

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.core import params, paths
from pipelines.core.tables import column, read_table, write_table


@dataclass(frozen=True)
class Task:
    """An embedding of a dataset, for a worker that evaluates it."""

    dataset: str
    name: str


EMBEDDINGS = pa.schema(
    [
        column("clip_id", pa.string(), "the clip, as in the manifest", unique=True),
        column("embedding", pa.list_(pa.float32()), "mean over the clip's non-overlapping chunks"),
    ]
)
BY_ENCODER = b"encoder"
ENCODED = pa.schema(
    [
        EMBEDDINGS.field("clip_id"),
        column("embedding", pa.list_(pa.float32()), "by an encoder (params.yaml, encoders)"),
    ],
    metadata={BY_ENCODER: b"true"},
)
"""What the stage `encode` writes; without rows where an encoder has no vectors of the dataset."""
ANSWERS = pa.schema(
    [
        column("clip_id", pa.string(), "a scored clip"),
        column("target", pa.string(), "the target, whose values are the classes"),
        column("probe", pa.string(), "the probe"),
        column("embedding", pa.string(), "from what"),
        column("actual", pa.string(), "the clip's class"),
        column("predicted", pa.string(), "the class predicted by the probe"),
    ]
)
ASSIGNMENTS = pa.schema(
    [
        column("clip_id", pa.string(), "the clip, as in the manifest"),
        column("target", pa.string(), "the target, whose values are the classes"),
        column("embedding", pa.string(), "the embedding that was clustered"),
        column("actual", pa.string(), "the clip's class"),
        column("predicted", pa.string(), "the class its cluster was matched to"),
    ]
)
PREDICTIONS = pa.schema(
    [
        column("clip_id", pa.string(), "the clip, as in the manifest", unique=True),
        column("scores", pa.list_(pa.float32()), "probability of each tag, in the order of the tagger's config"),
    ]
)
DEGRADED = pa.schema(
    [
        column("clip_id", pa.string(), "a scored clip, as in the manifest"),
        column("degradation", pa.string(), "the degradation of its sound"),
        column("embedding", pa.string(), "the tagger or baseline that made the outputs"),
        column("vector", pa.list_(pa.float32()), "its embedding, as for an unchanged clip"),
        column("scores", pa.list_(pa.float32()), "of a tagger: probability of each tag of its config", null=True),
    ]
)


def write(path: str | os.PathLike, clip_ids: list[str], vectors: np.ndarray, schema: pa.Schema = EMBEDDINGS) -> None:
    """Write `(clips, d)` vectors."""
    write_table(pd.DataFrame({"clip_id": clip_ids, "embedding": list(vectors)}), path, schema)


def names(settings: dict, dataset: str) -> list[str]:
    """Every embedding of a dataset: taggers, encoders, baselines.

    Encoders are found by their files. A stage that read `encoders` of params.yaml instead would run again for every dataset
    after a change of one dataset's vectors.
    """
    known = params.tagger_names(settings), list(settings["baselines"])
    encoded = [
        path.stem
        for path in sorted(paths.embeddings(dataset, "").parent.glob("*.parquet"))
        if path.stem not in (*known[0], *known[1]) and is_encoded(path)
    ]
    return [*known[0], *encoded, *known[1]]


def is_encoded(path: os.PathLike) -> bool:
    """Whether an encoder's embeddings are in a file."""
    with pq.ParquetFile(path) as file:
        return BY_ENCODER in (file.schema_arrow.metadata or {}) and file.metadata.num_rows > 0


def read(path: str | os.PathLike, clip_ids: list[str]) -> np.ndarray:
    """`(clips, d)` float32 in the order of `clip_ids`. Raises `KeyError` where a clip is missing."""
    table = read_table(path, EMBEDDINGS).set_index("clip_id")
    return np.stack(table.loc[clip_ids, "embedding"].to_list())


def checks(vectors: np.ndarray, n_clips: int) -> dict[str, tuple[bool, str]]:
    """What a record says of an embedding: complete, finite, and not the same for every clip."""
    finite = bool(np.isfinite(vectors).all())
    spread = float(vectors.std(axis=0).max()) if len(vectors) else 0.0
    return {
        "every clip": (len(vectors) == n_clips, f"{len(vectors)} of {n_clips} clips"),
        "finite": (finite, "no NaN and no infinity" if finite else "NaN or infinite values"),
        "not collapsed": (spread > 1e-6 or n_clips < 2, f"largest standard deviation of a dimension: {spread:.3g}"),
    }
