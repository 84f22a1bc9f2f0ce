"""combine: two tables of one vector a clip side by side, so that a model reads both at once (early fusion)."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.core import params, paths
from pipelines.core.manifest import LABELLED
from pipelines.core.record import write_record
from pipelines.core.tables import column, read_table, write_table
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.tasks import inputs

COMBINED = pa.schema([column("clip_id", pa.string(), "the clip; the other columns are its vectors", unique=True)])


def main(combined: str) -> None:
    log = start(f"combine {combined}")
    entry = params.read()["combined"][combined]
    dataset = entry["dataset"]
    folder = paths.combined(dataset, combined)
    shutil.rmtree(folder, ignore_errors=True)
    keys = (("from", "reads"), ("with_from", "with_reads"))
    places = [Path("data") / entry[source] / dataset / entry[reads] for source, reads in keys]
    try:
        table = combine(read_table(paths.manifest(dataset), LABELLED)["clip_id"].tolist(), places)
    except ValueError as error:
        raise SystemExit(f"combine {combined}: {error}") from error
    path = folder / "combined.parquet"
    write_table(table, path, COMBINED)
    lacking = {
        name.removesuffix(inputs.MISSING): int(table[name].sum()) for name in table if name.endswith(inputs.MISSING)
    }
    told = "; ".join(f"{n} of {len(table)} clips have no {name}" for name, n in lacking.items())
    write_record(
        "combine",
        combined,
        figures={"clips": len(table), "values a clip": table.shape[1] - 1}
        | {f"without {name}": n for name, n in lacking.items()},
        table=path,
        checks={"every clip has both": (not lacking, told or "every clip of either table is in both")},
    )
    log.info("%d clips, %d values a clip%s", len(table), table.shape[1] - 1, f"; {told}" if told else "")


def combine(clip_ids: list[str], places: list[Path]) -> pd.DataFrame:
    """The clips that any table has, in the order of `clip_ids`, and the columns of all tables, named `<table>: <column>`.

    Where some clips are missing in a table their columns are NaN, and the column `<table>: missing` is 1. Columns of a table that
    was combined already keep their names. Raises `ValueError` where two tables have one name, or no clip is in both.
    """
    names = [place.name.removesuffix(".parquet") for place in places]
    if len(set(names)) < len(names):
        raise ValueError(f"both tables are called {names[0]}: combine two of different names")
    read = [inputs.table(place) for place in places]
    sets = [set(ids) for ids, *_ in read]
    if not set.intersection(*sets):
        raise ValueError(f"{places[0]} and {places[1]} have no clip in common")
    kept = [clip_id for clip_id in clip_ids if any(clip_id in each for each in sets)]
    parts = {"clip_id": np.array(kept, dtype=object)}
    for name, place, (ids, values, columns) in zip(names, places, read, strict=True):
        rows = pd.Index(ids).get_indexer(kept)
        found = np.where((rows >= 0)[:, None], values[rows], np.nan)
        prefix = "" if place.parts[1] == "combined" else f"{name}: "
        parts |= {f"{prefix}{label}": found[:, number] for number, label in enumerate(columns)}
        if (rows < 0).any():
            parts[f"{name}{inputs.MISSING}"] = (rows < 0).astype(float)
    return pd.DataFrame(parts)


if __name__ == "__main__":
    command.run(main, __doc__)
