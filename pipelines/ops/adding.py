"""The entry of params.yaml that `conservatory add` writes for a folder or CSV, and the summary it prints."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pipelines.audio import probe
from pipelines.core import max_quarantined, splits
from pipelines.core.files import place
from pipelines.core.plain import one_line
from pipelines.datasets import folder, listing

EMPTY = "no file is in it"
MAX_NAMED = 5


def entry(path: Path, follow_links: bool = False) -> tuple[dict, pd.DataFrame]:
    """(entry of params.yaml, listing) of a folder or CSV. Raises `listing.SourceError` if it cannot be a dataset.

    The listing also has a row (`EMPTY`) for the folder of each label without a file. Of each label, one file's header was read.
    """
    source = place(path)
    files = listing.scan(source, follow_links)
    fingerprint = listing.fingerprint(files)
    files = _with_empty(_with_unreadable(files, source if source.is_dir() else source.parent), source)
    if (files["problem"] == listing.OF_EVENTS).any():
        folder.read_events((source if source.is_dir() else source.parent) / listing.EVENTS)
    labels = files.loc[files["problem"] == "", "label"].drop_duplicates()
    if len(labels) == 0:
        kinds = Counter(files["problem"]).most_common(3)
        raise listing.SourceError(
            f"No file in {path} can be used: {'; '.join(f'{n} x {problem}' for problem, n in kinds)}"
        )
    if len(labels) == 1 and labels.iloc[0]:
        why = files.drop_duplicates("label").set_index("label")["problem"]
        lost = [f"{label} has no usable file ({why[label]})" for label in splits.lost(files["label"], labels)]
        more = [f"{len(lost) - MAX_NAMED} more labels have none"] if len(lost) > MAX_NAMED else []
        found = "; ".join([f"Found one label ({labels.iloc[0]}); at least two are required", *lost[:MAX_NAMED], *more])
        raise listing.SourceError(
            f"{one_line(found)}. Clusters are compared with labels: add a second label, or put the files into one folder without "
            "labels."
        )
    found = {
        "module": "folder",
        "imports": "pipelines/datasets/listing.py",
        "path": str(path.absolute()),
        **({"follow_links": True} if follow_links else {}),
        "fingerprint": fingerprint,
    }
    return found, files


def _with_unreadable(files: pd.DataFrame, root: Path) -> pd.DataFrame:
    """The listing, with the reason for each file of a label of which no file can be read. The manifest stage reads the headers of
    the others."""
    files = files.copy()
    for _, rows in files[files["problem"] == ""].groupby("label"):
        problems = []
        for path in rows["path"]:
            try:
                probe.header(root / path)
                break
            except probe.Unreadable as error:
                problems.append(str(error))
        else:
            files.loc[rows.index, "problem"] = problems
    return files


def _with_empty(files: pd.DataFrame, source: Path) -> pd.DataFrame:
    """The listing with a row for the folder of each label without a file."""
    if not source.is_dir() or not (files["label"] != "").any():
        return files
    folders = (place.name for place in source.iterdir() if place.is_dir() and not place.name.startswith("."))
    names = {name.encode("utf-8", "replace").decode() for name in folders} - set(files["label"])
    rows = [
        dict.fromkeys(files.columns, "") | {"path": name, "label": name, "problem": EMPTY} for name in sorted(names)
    ]
    return pd.concat([files, pd.DataFrame(rows, columns=files.columns)], ignore_index=True)


def summary(name: str, files: pd.DataFrame) -> Iterator[str]:
    """Lines about a listing: its labels, unusable files, and what will make figures unreliable."""
    usable = files[files["problem"] == ""]
    counts = usable["label"].value_counts().sort_index()
    labelled = (usable["label"] != "").any()
    yield f"Added {name}: {len(usable)} file{'s' * (len(usable) != 1)}, {f'{len(counts)} labels' if labelled else 'no labels'}."
    for label, count in counts.items() if labelled else ():
        yield f"  {count:6d}  {one_line(label)}"
    if (files["problem"] == listing.OF_EVENTS).any():
        yield f"  {listing.EVENTS} gives the files events, which are targets aligned to time."
    known = ["", EMPTY, listing.OF_EVENTS]
    for problem, count in Counter(files.loc[~files["problem"].isin(known), "problem"]).items():
        yield f"  {count:6d}  {'ignored' if problem == max_quarantined.NOT_MUSIC else 'will be quarantined'}: {problem}"
    if not labelled:
        yield "Without labels the report has maps, neighbours, tags and out-of-distribution scores, but no clustering scores."
    for label in splits.lost(files["label"], usable["label"]):
        yield f"Warning: no file of {one_line(label)} can be used, so it will not be a class."
    for names in splits.alike(usable["label"]):
        yield f"Warning: these labels look the same but count as {len(names)}: {', '.join(map(repr, names))}."
    torn = usable.groupby("sha256")["label"].nunique()
    if n := int((torn > 1).sum()):
        yield f"Warning: {n} recording{' has' if n == 1 else 's have'} two labels."
    if n := int(usable["sha256"].duplicated().sum()):
        yield f"Note: {n} file{' is a copy' if n == 1 else 's are copies'} of others; copies do not count as independent."
    if not splits.is_grouped(usable):
        yield (
            "Note: no two clips share a group (artist, work), so each clip counts as independent. To give groups, use "
            "<label>/<artist>/<file>, or a column `group` in a CSV."
        )
    thin = counts[counts == 1]
    if len(thin) and labelled:
        yield f"Warning: only one file of {one_line(', '.join(thin.index))}; its score will be meaningless."
    yield "Next: conservatory run"
