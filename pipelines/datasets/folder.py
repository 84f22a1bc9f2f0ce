"""A user's own folder or CSV of labelled audio, as `conservatory add` records it.

The files are read in place and never changed. Labels become the clustering target `label`. They are not tags, because no tagger
was trained on them.

Targets aligned to time may stand in a file `events.csv` in the folder, or beside the CSV: path,label,onset_s,offset_s, and
perhaps target (`event` without it) and value. A path is written as in the dataset: relative to the folder, or to the CSV's.
"""

import csv
import io
from pathlib import Path

import pandas as pd

from pipelines.core.files import place
from pipelines.core.tables import read_table, write_table
from pipelines.datasets import listing

BIBTEX = ""
LICENSE_INFO = "the user's own"
COLUMNS = ["path", "target", "label", "onset_s", "offset_s", "value"]
REQUIRED = {"path", "label", "onset_s", "offset_s"}
TARGET = "event"
"""Of rows without one."""


def build(raw_dir: Path, entry: dict) -> dict:
    """List the files of `entry["path"]`. Raises `SourceError` if they do not match `entry["fingerprint"]`."""
    files = listing.scan(place(entry["path"]), entry.get("follow_links", False))
    found = listing.fingerprint(files)
    if found != entry["fingerprint"]:
        raise listing.SourceError(
            f"{entry['path']} does not match params.yaml (fingerprint {found}, not {entry['fingerprint']}): files "
            "were added, changed or removed. `conservatory run` records the present files and continues."
        )
    write_table(files, raw_dir / "files.parquet", listing.LISTING)
    given = files["problem"] == listing.OF_EVENTS
    if given.any():
        read_events(_root(entry) / listing.EVENTS).to_parquet(raw_dir / "events.parquet")
    usable = files[files["problem"] == ""]
    n_files = len(files) - int(given.sum())
    return {"files": n_files, "labels": usable["label"].nunique(), "unusable": n_files - len(usable)}


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """A row a file; `problem` tells the manifest stage what the listing already found wrong."""
    files = read_table(raw_dir / "files.parquet", listing.LISTING)
    files = files[files["problem"] != listing.OF_EVENTS].reset_index(drop=True)
    root = _root(entry)
    table = pd.DataFrame(
        {
            "path": [str(root / path) for path in files["path"]],
            "title": files["path"],
            "tags": [[] for _ in range(len(files))],
            "split": files["split"],
            "group": files["group"].where(files["group"] != files["path"], ""),
            "source": str(Path(entry["path"])),
            "licence": LICENSE_INFO,
            "target_label": files["label"],
            "sha256": files["sha256"],
            "problem": files["problem"],
        }
    )
    return table if (files["label"] != "").any() else table.drop(columns="target_label")


def events(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """The rows of `events.csv`, by their lines; none where there is no such file."""
    path = raw_dir / "events.parquet"
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    table, root = pd.read_parquet(path), _root(entry)
    table["path"] = [str(root / name) for name in table["path"]]
    table.attrs["file"] = str(root / listing.EVENTS)
    return table


def read_events(path: Path) -> pd.DataFrame:
    """The rows of an `events.csv` as text, with the columns `COLUMNS` and their lines as index. Raises `SourceError`."""
    text, separator, first = listing.read_csv(path)
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, delimiter=separator, strict=True)
    rows, lines = [], []
    try:
        reader.fieldnames = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        names = set(reader.fieldnames)
        if not REQUIRED <= names <= set(COLUMNS) or len(names) < len(reader.fieldnames):
            raise listing.SourceError(
                f"{path}: its first line must name the columns path,label,onset_s,offset_s (and target, value if you have them), "
                f"not {','.join(reader.fieldnames)!r:.100}"
            )
        for record in reader:
            if None in record or None in record.values():
                raise listing.SourceError(f"{path}, line {reader.line_num + first}: not as many fields as columns")
            rows.append({"target": TARGET} | {name: value.strip() for name, value in record.items()})
            lines.append(reader.line_num + first)
    except csv.Error as error:
        raise listing.SourceError(f"{path}, line {reader.line_num + first}: {error}") from error
    table = pd.DataFrame(rows, index=pd.Index(lines, dtype="int64"), columns=COLUMNS)
    return table if "value" in names else table.drop(columns="value")


def _root(entry: dict) -> Path:
    """The folder to which paths are relative: the dataset's, or that of its CSV."""
    source = place(entry["path"])
    return source.parent if source.suffix.lower() == ".csv" and not source.is_dir() else source
