"""Vectors made elsewhere: one per clip, by the clip's id or its path, in a Parquet or an NPY file.

Parquet: a column `clip_id` or `path`, and one column of lists of numbers, all of the same length. NPY: `(rows, d)` numbers, with
a text file `ids` that has a clip id or a path on each line. A path may be the end of the manifest's path, in whole names:
`a/b.wav` for `/music/a/b.wav`. Rows of clips that the dataset does not have are left out and counted. A clip without a row is an
error, because a study compares all embeddings on the same clips; with `missing: mean` it gets the mean of the training clips'
vectors, which says nothing of the clip.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.core.files import place
from pipelines.core.plain import some

IDS = ("clip_id", "path")


@dataclass(frozen=True)
class Matched:
    """vectors: `(clips, d)` float32 in the order of the clips. missing: ids of clips without a row. extra: ids or paths of rows
    without a clip."""

    vectors: np.ndarray
    missing: list[str]
    extra: list[str]


def read(file: dict, clips: pd.DataFrame, reference: np.ndarray, missing: str = "error") -> Matched:
    """The vectors of `clips` (`clip_id`, `path`), from a file as an entry's `files` names it.

    reference: mask of the clips whose mean a missing clip gets with `missing="mean"`. Raises `ValueError` that names the file and
    the rows, `FileNotFoundError` where there is none.
    """
    path = file["path"]
    names, vectors = _read_npy(path, file.get("ids", "")) if path.endswith(".npy") else _read_parquet(path)
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        raise ValueError(f"{path}: {bad.sum()} rows have NaN or infinite values: {some(np.array(names)[bad])}")
    places = _places(clips)
    rows: dict[str, int] = {}
    extra = []
    for row, name in enumerate(names):
        found = places.get(_plain(name), ())
        if len(found) > 1:
            raise ValueError(f"{path}: {name!r} in row {row} may be any of {len(found)} clips: write more of the path")
        if not found:
            extra.append(name)
        elif found[0] in rows:
            raise ValueError(f"{path}: rows {rows[found[0]]} and {row} are both of clip {found[0]} ({name}): keep one")
        else:
            rows[found[0]] = row
    ids = clips["clip_id"].tolist()
    if not rows:
        raise ValueError(
            f"{path}: none of its {len(names)} rows is a clip of the dataset; it names {some(names)}, the dataset "
            f"{some(clips['path'].tolist())} or ids such as {ids[0]}"
        )
    lacking = [clip_id for clip_id in ids if clip_id not in rows]
    if lacking and missing == "error":
        titles = clips.set_index("clip_id").loc[lacking, "path"].tolist()
        raise ValueError(
            f"{path}: {len(lacking)} of {len(ids)} clips have no row: {some(titles)}. Add them, or write `missing: mean` "
            "in the encoder's entry: they then get the mean of the training clips' vectors"
        )
    matched = np.zeros((len(ids), vectors.shape[1]), np.float32)
    there = np.array([clip_id in rows for clip_id in ids])
    matched[there] = vectors[[rows[clip_id] for clip_id in ids if clip_id in rows]]
    if lacking:
        known = reference & there
        matched[~there] = matched[known if known.any() else there].mean(axis=0, dtype=np.float64)
    return Matched(matched, lacking, extra)


def _read_parquet(path: str) -> tuple[list[str], np.ndarray]:
    try:
        table = pq.read_table(place(path))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no Parquet file, or is damaged: {str(error).splitlines()[0]}") from error
    ids = [name for name in IDS if name in table.column_names]
    if len(ids) != 1:
        raise ValueError(
            f"{path} needs one column `clip_id` or `path`; its columns are {', '.join(table.column_names) or 'none'}"
        )
    lists = [
        field.name
        for field in table.schema
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type) or pa.types.is_fixed_size_list(field.type)
    ]
    if len(lists) != 1:
        raise ValueError(
            f"{path} needs one column of lists of numbers, the vectors; it has {', '.join(lists) or 'none'}"
        )
    names, values = table.column(ids[0]).to_pylist(), table.column(lists[0]).combine_chunks()
    if not names:
        raise ValueError(f"{path} has no rows")
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    for row, (name, length) in enumerate(zip(names, lengths, strict=True)):
        if not isinstance(name, str) or not name:
            raise ValueError(f"{path}: row {row} has the {ids[0]} {name!r}, and must have a name")
        if not length or length != lengths[0]:
            raise ValueError(
                f"{path}: row {row} ({name}) has {length} numbers and row 0 has {lengths[0]}: all vectors must have the "
                "same length"
            )
    flat = values.flatten()
    if not (pa.types.is_floating(flat.type) or pa.types.is_integer(flat.type)):
        raise ValueError(f"{path}: column {lists[0]} holds {flat.type}, and must hold numbers")
    # an empty value becomes NaN, which is refused with its row
    return names, flat.to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(names), -1)


def _read_npy(path: str, ids: str) -> tuple[list[str], np.ndarray]:
    if not ids:
        raise ValueError(f"{path} needs `ids` beside its path: a text file with a clip id or a path on each line")
    try:
        vectors = np.load(place(path), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is no NPY file of numbers, or is damaged: {error}") from error
    if vectors.ndim != 2 or not vectors.size or vectors.dtype.kind not in "fiu":
        raise ValueError(
            f"{path} has the shape {vectors.shape} and type {vectors.dtype}; it must be numbers of shape (rows, dimensions)"
        )
    try:
        names = [line.strip() for line in Path(place(ids)).read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise ValueError(f"{ids} is not UTF-8 text: {error}") from error
    if "" in names:
        raise ValueError(f"{ids}: line {names.index('') + 1} is empty: each line names the clip of a row of {path}")
    if len(names) != len(vectors):
        raise ValueError(f"{ids} has {len(names)} lines and {path} has {len(vectors)} rows: each row needs one line")
    return names, vectors.astype(np.float32)


def _places(clips: pd.DataFrame) -> dict[str, list[str]]:
    """Clip id, or any end of a path in whole names -> the clips that it may mean."""
    found: dict[str, list[str]] = {}
    for clip_id, clip_path in zip(clips["clip_id"], clips["path"], strict=True):
        parts = _plain(clip_path).split("/")
        for first in range(len(parts)):
            found.setdefault("/".join(parts[first:]), []).append(clip_id)
    for clip_id in clips["clip_id"]:  # an id means one clip, whatever files are called
        found[clip_id] = [clip_id]
    for clip_id, clip_path in zip(clips["clip_id"], clips["path"], strict=True):
        found[_plain(clip_path)] = [clip_id]  # as does a whole path, also where it is the end of another
    return found


def _plain(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./").strip("/")
