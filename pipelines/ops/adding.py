"""The entry of params.yaml that `conservatory add` writes for a folder or CSV, and the summary that it prints first."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pipelines.core import max_quarantined, splits
from pipelines.core.plain import one_line
from pipelines.datasets import listing


def entry(path: Path, follow_links: bool = False) -> tuple[dict, pd.DataFrame]:
    """(entry of params.yaml, listing) of a folder or CSV. Raises `listing.SourceError` where it cannot be a dataset."""
    files = listing.scan(listing.place(path), follow_links)
    labels = files.loc[files["problem"] == "", "label"].unique()
    if len(labels) == 1 and labels[0]:
        raise listing.SourceError(
            f"There is one label only ({one_line(labels[0])}), and clusters are compared with classes: give a second, or put "
            "the files into one folder without labels."
        )
    found = {
        "module": "folder",
        "imports": "pipelines/datasets/listing.py",
        "path": str(path.absolute()),
        **({"follow_links": True} if follow_links else {}),
        "fingerprint": listing.fingerprint(files),
    }
    return found, files


def told(name: str, files: pd.DataFrame) -> Iterator[str]:
    """Lines about a listing: its labels, what cannot be used, and what will make figures weak."""
    usable = files[files["problem"] == ""]
    counts = usable["label"].value_counts().sort_index()
    labelled = (usable["label"] != "").any()
    yield f"Added {name}: {len(usable)} file{'s' * (len(usable) != 1)}, {f'{len(counts)} labels' if labelled else 'no labels'}."
    for label, count in counts.items() if labelled else ():
        yield f"  {count:6d}  {one_line(label)}"
    for problem, count in Counter(files.loc[files["problem"] != "", "problem"]).items():
        yield f"  {count:6d}  {'passed over' if problem == max_quarantined.NOT_MUSIC else 'will be quarantined'}: {problem}"
    if not labelled:
        yield "Without labels there are maps, neighbours, tags and what is unlike the training music; no clustering score."
    for label in splits.lost(files["label"], usable["label"]):
        yield f"Warning: no file of {one_line(label)} can be used: it will be no class."
    for names in splits.alike(usable["label"]):
        yield f"Warning: these labels read as one and are counted as {len(names)}: {', '.join(map(repr, names))}."
    torn = usable.groupby("sha256")["label"].nunique()
    if n := int((torn > 1).sum()):
        yield f"Warning: {n} sound{' stands' if n == 1 else 's stand'} under two labels."
    if n := int(usable["sha256"].duplicated().sum()):
        yield f"Note: {n} file{' is a copy' if n == 1 else 's are copies'} of others; copies are not counted as independent."
    if not splits.is_grouped(usable):
        yield (
            "Note: no groups (artists, works) were given, so each clip counts as independent. <label>/<artist>/<file>, or a "
            "column `group` in a CSV, gives them."
        )
    thin = counts[counts == 1]
    if len(thin) and labelled:
        yield f"Warning: a single file stands for {one_line(', '.join(thin.index))}; its score will mean nothing."
    yield "Now: conservatory run"
