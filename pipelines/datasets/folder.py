"""A user's own folder or CSV of labelled audio, as `conservatory add` records it.

The files are read in place and never changed. Labels become the clustering target `label`. They are not tags, because no tagger
was trained on them.
"""

from pathlib import Path

import pandas as pd

from pipelines.core.files import place
from pipelines.core.tables import read_table, write_table
from pipelines.datasets import listing

BIBTEX = ""
LICENSE_INFO = "the user's own"


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
    usable = files[files["problem"] == ""]
    return {"files": len(files), "labels": usable["label"].nunique(), "unusable": len(files) - len(usable)}


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """A row a file; `problem` tells the manifest stage what the listing already found wrong."""
    files = read_table(raw_dir / "files.parquet", listing.LISTING)
    source = place(entry["path"])
    root = source.parent if source.suffix.lower() == ".csv" and not source.is_dir() else source
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
