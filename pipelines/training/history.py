"""The training curve: history.csv, one row per epoch."""

import csv
import os
from pathlib import Path

from pipelines.core.files import atomic


def read(path: str | os.PathLike) -> list[dict]:
    """Rows as text; none where there is no file."""
    if not Path(path).exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def add(path: str | os.PathLike, epoch: int, figures: dict[str, float]) -> None:
    """Write the row of `epoch` (from 1); a resumed run writes over what came after its checkpoint."""
    rows = [row for row in read(path) if int(row["epoch"]) < epoch]
    rows.append({"epoch": epoch, **{key: f"{value:.6f}" for key, value in figures.items()}})
    write(path, rows)


def write(path: str | os.PathLike, rows: list[dict]) -> None:
    """Write the whole curve."""
    with atomic(path) as temporary, open(temporary, "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
