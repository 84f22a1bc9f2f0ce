"""Targets aligned to time: events of clips, each with a label, an onset and an offset.

A dataset's module may have `events(raw_dir, entry)` (pipelines/datasets/__init__.py); the manifest stage checks the events and
writes them to data/events/<dataset>.parquet (`EVENTS`), which is empty for a dataset that has none. A target has a name
("instrument"), like the manifest's `target_*` columns, and labels ("brass"); events of one label may overlap.

Times are seconds from the clip's start. An event is the half-open interval [onset, offset); one whose offset equals its onset is
an instant, a beat for instance.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.core import paths
from pipelines.core.tables import column, read_table

EVENTS = pa.schema(
    [
        column("clip_id", pa.string(), "the clip, as in the manifest"),
        column("target", pa.string(), "what is labelled: instrument"),
        column("label", pa.string(), "the label: brass"),
        column("onset_s", pa.float64(), "start in the clip", unit="s"),
        column("offset_s", pa.float64(), "end in the clip, not before the onset; equal for an instant", unit="s"),
        column("value", pa.float64(), "a number that belongs to the event, such as a velocity or Hz", null=True),
    ]
)
GIVEN = ("path", "target", "label", "onset_s", "offset_s")
"""Columns that a dataset gives; `value` is optional. `path` is the clip's, as in `clips()`."""
TOLERANCE_S = 0.05
"""An offset that lies beyond the clip by no more than this is moved to its end: headers state lengths that differ a little."""
ROUNDING = 1e-6  # of a frame, so that 3 * 0.016 s is frame 3


def of_clips(given: pd.DataFrame, clips: pd.DataFrame, where: str, unusable: Sequence[str] = ()) -> pd.DataFrame:
    """The events of the clips of a manifest (`EVENTS`), sorted; those of `unusable` paths, which are quarantined, are left out.

    given: columns `GIVEN`; its index is the row or line that messages name. clips: `clip_id`, `path`, `duration_s`. where: the
    name of the table or file, for messages. Raises `ValueError` that names the first row of what cannot be: a clip that is not in
    the dataset, an empty target or label, a time that is no number, an offset before its onset, an event outside its clip.
    """
    if missing := [name for name in GIVEN if name not in given]:
        raise ValueError(
            f"{where}: the column {missing[0]} is missing; events have {', '.join(GIVEN)}, and may have value"
        )
    given = given[~given["path"].isin(unusable)]
    known = clips.set_index("path")
    length = given["path"].map(known["duration_s"])
    times = given[["onset_s", "offset_s"]].apply(pd.to_numeric, errors="coerce").astype(float)
    onset, offset = times["onset_s"], times["offset_s"]
    value = pd.to_numeric(given["value"], errors="coerce") if "value" in given else pd.Series(np.nan, given.index)
    _refuse(given, length.isna(), where, "{path} is no file of the dataset: write its path as in the dataset")
    for name in ("target", "label"):
        empty = given[name].isna() | (given[name].astype(str).str.strip() == "")
        _refuse(given, empty, where, f"{{path}} has an event without a {name}: fill it in, or delete the row")
    bad = ~np.isfinite(times).all(axis=1)
    _refuse(given, bad, where, "{path}: onset {onset_s} and offset {offset_s} must be numbers of seconds")
    if "value" in given:
        bad = ~np.isfinite(value) & given["value"].notna() & (given["value"].astype(str).str.strip() != "")
        _refuse(given, bad, where, "{path}: value {value} is no number")
    _refuse(given, offset < onset, where, "{path}: the offset {offset_s} s is before the onset {onset_s} s")
    outside = (onset < 0) | (offset > length + TOLERANCE_S) | (onset > length)
    _refuse(
        given.assign(length=length.round(3)),
        outside,
        where,
        "{path}: an event from {onset_s} to {offset_s} s lies outside the clip, which is {length} s long: are times in seconds?",
    )
    found = pd.DataFrame(
        {
            "clip_id": given["path"].map(known["clip_id"]).astype(str),
            "target": given["target"].astype(str),
            "label": given["label"].astype(str),
            "onset_s": onset.astype(float),
            "offset_s": np.minimum(offset, length).astype(float),
            "value": value.astype(float),
        }
    )
    place = found["clip_id"].map({clip_id: n for n, clip_id in enumerate(clips["clip_id"])})
    order = ["place", "target", "onset_s", "label", "offset_s", "value"]
    return found.assign(place=place).sort_values(order, kind="stable")[EVENTS.names].reset_index(drop=True)


def none() -> pd.DataFrame:
    """The table of a dataset without events."""
    return EVENTS.empty_table().to_pandas()


def read(dataset: str, target: str) -> pd.DataFrame:
    """The events of one target of a dataset. Raises `ValueError` that names its targets where it has no such events."""
    table = read_table(paths.events(dataset), EVENTS)
    found = table[table["target"] == target].reset_index(drop=True)
    if found.empty:
        there = ", ".join(sorted(set(table["target"]))) or "none"
        raise ValueError(f"dataset {dataset!r} has no events of a target {target!r}; its targets with events: {there}")
    return found


def crop(events: pd.DataFrame, start_s: float, end_s: float) -> pd.DataFrame:
    """The events of a clip in its part [start_s, end_s), with times from the part's start; an event that goes beyond an edge is
    cut there. An instant belongs to the part that contains it."""
    onset, offset = events["onset_s"], events["offset_s"]
    instant = onset == offset
    inside = (onset < end_s) & (instant & (onset >= start_s) | (offset > start_s))
    part = events[inside]
    return part.assign(
        onset_s=part["onset_s"].clip(lower=start_s) - start_s, offset_s=part["offset_s"].clip(upper=end_s) - start_s
    ).reset_index(drop=True)


def grid(events: pd.DataFrame, labels: Sequence[str], n_frames: int, hop_s: float, start_s: float = 0.0) -> np.ndarray:
    """`(n_frames, labels)` bool: is an event of the label active at each frame of a clip, or of a chunk that begins at `start_s`?

    Frame k is centred at `start_s + k * hop_s`, as the frames of the project's features are (an STFT with `center=True`), and an
    event is active in the frames whose centres lie in [onset, offset). So a grid of a chunk is that part of the clip's grid, and
    an event shorter than a hop may lie between two centres. An instant is active in the frame with the nearest centre, of two the
    later. `events` are those of one clip and target; labels that are not in `labels` are left out.
    """
    column_of = {label: n for n, label in enumerate(labels)}
    found = np.zeros((n_frames, len(labels)), bool)
    for row in events[events["label"].isin(column_of)].itertuples():
        onset, offset = ((time - start_s) / hop_s for time in (row.onset_s, row.offset_s))
        if row.onset_s == row.offset_s:
            first = int(np.floor(onset + 0.5 + ROUNDING))
            last = first + 1
        else:
            first, last = (int(np.ceil(time - ROUNDING)) for time in (onset, offset))
        found[max(first, 0) : max(last, 0), column_of[row.label]] = True
    return found


def activity(notes: pd.DataFrame, target: str) -> pd.DataFrame:
    """The events of notes (`path`, `label`, `onset_s`, `offset_s`): the spans in which at least one note of a label sounds, so
    that events of one label neither overlap nor touch. Columns `GIVEN`."""
    notes = notes.astype({"onset_s": float, "offset_s": float})  # of no notes the columns have no type
    notes = notes.sort_values(["path", "label", "onset_s"], kind="stable")
    by_label = notes.groupby(["path", "label"], sort=False)
    latest = by_label["offset_s"].cummax().groupby([notes["path"], notes["label"]], sort=False).shift()
    span = (latest.isna() | (notes["onset_s"] > latest)).cumsum()
    spans = notes.groupby(span, sort=False).agg(
        path=("path", "first"), label=("label", "first"), onset_s=("onset_s", "min"), offset_s=("offset_s", "max")
    )
    return spans.assign(target=target).reset_index(drop=True)[list(GIVEN)]


def _refuse(given: pd.DataFrame, bad: pd.Series, where: str, message: str) -> None:
    if bad.any():
        row = given[bad].iloc[0]
        more = f" (and {int(bad.sum()) - 1} more rows)" if bad.sum() > 1 else ""
        raise ValueError(f"{where}, row {given.index[bad][0]}: {message.format(**row.to_dict())}{more}")
