"""symbols: one representation of every piece of a corpus, by steps (NPY shards) or pooled (Parquet)."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.core import params, paths, shards
from pipelines.core.files import atomic
from pipelines.core.manifest import PIECES
from pipelines.core.record import write_record
from pipelines.core.tables import column, read_table, write_table
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.notes import representations
from pipelines.notes.tables import NOTES, dtype

SHARD_BYTES = 16_000_000
POOLED = pa.schema([column("clip_id", pa.string(), "the piece; the other columns are its statistics", unique=True)])
Piece = tuple[str, float, np.ndarray]  # clip_id, length in quarters, notes


def pieces(corpus: str) -> Iterator[Piece]:
    """The pieces of a corpus, in the manifest's order."""
    manifest = read_table(paths.manifest(corpus), PIECES)
    table = read_table(paths.notes(corpus) / "notes.parquet", NOTES)
    notes = np.empty(len(table), dtype(NOTES))
    for name in notes.dtype.names:
        notes[name] = table[name]
    rows = table.groupby("clip_id", sort=False).indices
    for clip_id, length in zip(manifest["clip_id"], manifest["duration"], strict=True):
        yield clip_id, length, notes[rows[clip_id]]


def main(corpus: str, representation: str) -> None:
    log = start(f"symbols {corpus} {representation}")
    entry = params.read()["symbols"][representation]
    folder = paths.features(corpus, representation)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        module = representations.load(representation)
        found = list(pieces(corpus))
        learned, taught = _learned(module, corpus, found, entry or {})
        if learned:
            with atomic(folder / representations.LEARNED) as temporary:
                temporary.write_text(learned)
        path, n_rows, figures = write(module, found, with_learned(entry, folder), folder)
        figures |= taught
    except (TypeError, ValueError) as error:
        raise SystemExit(f"symbols {corpus}: {representation}: {error}") from error
    write_record(
        "symbols",
        f"{corpus}-{representation}",
        figures={"pieces": n_rows, **figures},
        table=path,
        checks={
            "finite": (True, "no NaN and no infinity: each piece was looked at when it was written"),
            "every piece": (n_rows == len(found), f"{n_rows} of {len(found)} pieces"),
        },
    )
    log.info("%d pieces, %s", n_rows, ", ".join(f"{value} {name}" for name, value in figures.items()))


def with_learned(entry: dict | None, folder: Path) -> dict:
    """The parameters of a representation, with what it has learned from training pieces, which lies in `folder`."""
    path = folder / representations.LEARNED
    return (entry or {}) | ({"learned": path.read_text()} if path.exists() else {})


def _learned(module: ModuleType, corpus: str, found: list[Piece], entry: dict) -> tuple[str, dict]:
    """(what the module learns from the training pieces, a figure of the record). Raises `ValueError` for a corpus without any."""
    if not hasattr(module, "learn"):
        return "", {}
    manifest = read_table(paths.manifest(corpus), PIECES)
    training = set(manifest["clip_id"][manifest["split"] == "train"])
    chosen = [notes for clip_id, _, notes in found if clip_id in training]
    learned = module.learn(chosen, **entry)
    return learned, {"training pieces it learned from": len(chosen)} if learned else {}


def write(module: ModuleType, found: list[Piece], entry: dict | None, folder: Path) -> tuple[Path, int, dict]:
    """Write a representation of pieces; (its table or index, its rows, figures of the record)."""
    return (_write_pooled if module.KIND == "pooled" else _write_sequences)(module, found, entry, folder)


def _write_sequences(
    module: ModuleType, found: list[Piece], entry: dict | None, folder: Path
) -> tuple[Path, int, dict]:
    """Write the shards and their index; (the index, its rows, figures of the record)."""
    rows, waiting, shard, losses = [], list(found), 0, Counter()
    values = module.compute(np.empty(0, dtype(NOTES)), 0.0, **(entry or {})).shape[1:]
    while waiting:
        size = 0
        with shards.writer(shards.shard_path(folder, shard), module.DTYPE, values) as write_clip:
            while waiting and size < SHARD_BYTES:
                clip_id, length, notes = waiting.pop(0)
                steps = _finite(representations.compute(module, notes, length, entry), clip_id)
                if hasattr(module, "notes"):
                    losses.update(representations.losses(notes, module.notes(steps, **(entry or {}))))
                offset, n_steps = write_clip([steps])
                rows.append({"clip_id": clip_id, "shard": shard, "offset": offset, "length": n_steps})
                size += steps.nbytes
        shard += 1
    path = folder / "index.parquet"
    write_table(pd.DataFrame(rows, columns=shards.INDEX.names), path, shards.INDEX)
    n_steps = sum(row["length"] for row in rows)
    of_each, article = ("step", "a") if module.KIND == "frames" else ("event", "an")
    return path, len(rows), {f"values {article} {of_each}": int(np.prod(values)), f"{of_each}s": n_steps, **losses}


def _write_pooled(module: ModuleType, found: list[Piece], entry: dict | None, folder: Path) -> tuple[Path, int, dict]:
    """Write a table with a row a piece; (the table, its rows, figures of the record)."""
    rows = {clip_id: representations.compute(module, notes, length, entry) for clip_id, length, notes in found}
    for clip_id, statistics in rows.items():
        _finite(np.array(list(statistics.values())), clip_id)
    table = pd.DataFrame(list(rows.values()), dtype="float32")
    path = folder / "pooled.parquet"
    write_table(table.assign(clip_id=list(rows)), path, POOLED)
    return path, len(rows), {"values a piece": table.shape[1]}


def _finite(values: np.ndarray, clip_id: str) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError(f"NaN or infinite values for the piece {clip_id}: a defect of this representation")
    return values


if __name__ == "__main__":
    command.run(main, __doc__)
